import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { freshNumber, subjectOf } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import {
  type AppPasswordMade,
  allowPlayerWrites,
  createAppPassword,
  forbidPlayerWrites,
} from '@hexachord/sdk/listening'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import SubsonicAPI from 'subsonic-api'
import { type Artist, newArtist } from '../network/artist.ts'
import { decodedMs, makeRecording, runProgram } from '../network/recordings.ts'
import { program, whyMissing } from './debian.ts'

const sublime = await program('sublime-music')
const session = fileURLToPath(new URL('sublime_session.py', import.meta.url))

const network = testNetwork()
const seconds = 8
let folder: TemporaryFolder
let artist: Artist
let track: Track
let password: AppPasswordMade

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'for sublime', seconds, coverSide: 600 })
  const details = { title: 'Sublime song', artist: 'Sublime artist', genre: 'Sublime genre' }
  ;({ track } = await artist.release(file, details))
  const number = () => freshNumber((bytes) => crypto.getRandomValues(bytes))
  for (const album of [true, false]) {
    await artist.write('playlist', subjectOf(artist.account.address, number()), {
      prev: null,
      title: album ? 'Sublime album' : 'Sublime list',
      album,
      add: [{ track: track.id }],
    })
  }
  password = await createAppPassword(artist.connection, artist.account, 'sublime-music')
}, 60_000)
afterAll(() => folder?.remove())

describe(`sublime-music${whyMissing(sublime)}`, () => {
  const run = 'path' in sublime ? test : test.skip
  run(
    'logs in, finds its way through the catalogue, and is given audio that plays to the end',
    async () => {
      const { server, username, password: secret } = password
      // Debian's packages are for Debian's Python, whichever else there is.
      const { output } = await runProgram('/usr/bin/python3', [session, server, username, secret])
      const seen = JSON.parse(output.trim().split('\n').at(-1) ?? '')
      expect(seen).toMatchObject({
        ping: true,
        artists: expect.arrayContaining(['Sublime artist']),
        artist: 'Sublime artist',
        album: 'Sublime album',
        songs: [['Sublime song', seconds, 1]],
        song: 'Sublime song',
        genres: expect.arrayContaining(['Sublime genre']),
        playlists: expect.arrayContaining([['Sublime list', 1]]),
      })
      expect(seen.folders).toBe(seen.artists.length)
      for (const kind of ['RANDOM', 'NEWEST', 'ALPHABETICAL_BY_NAME', 'ALPHABETICAL_BY_ARTIST']) {
        expect([kind, seen.lists[kind]]).toEqual([kind, expect.arrayContaining(['Sublime album'])])
      }
      expect(seen.lists.STARRED).toEqual([])
      expect(Math.abs((await decodedMs(seen.stream, { isFile: true })) - seconds * 1000)).toBeLessThan(250)

      const frequent = new URLSearchParams({
        type: 'frequent',
        apiKey: secret,
        v: '1.16.1',
        c: 'test',
        f: 'json',
      })
      const played = await (await fetch(`${server}/rest/getAlbumList2?${frequent}`)).json()
      expect(played['subsonic-response'].albumList2.album).toContainEqual(
        expect.objectContaining({ name: 'Sublime album', playCount: 1 }),
      )
    },
    60_000,
  )
})

test.each(['password', 'API key'])(
  'subsonic-api logs in by %s, finds the track by its artist, and is given audio that plays to the end',
  async (mechanism) => {
    const { server, username, password: secret } = password
    const auth = mechanism === 'password' ? { username, password: secret } : { apiKey: secret }
    const player = new SubsonicAPI({ url: server, auth })
    expect(await player.ping()).toMatchObject({ status: 'ok', type: 'hexachord' })
    const { searchResult3 } = await player.search3({ query: 'Sublime artist' })
    const found = searchResult3.song?.find(({ id }) => id === `tr-${track.id}`)
    const { artist: maker } = await player.getArtist({ id: found?.artistId ?? '' })
    const { album } = await player.getAlbum({ id: maker.album?.[0]?.id ?? '' })
    expect(album).toMatchObject({ name: 'Sublime album', song: [{ id: `tr-${track.id}` }] })
    const audio = await player.stream({ id: album.song?.[0]?.id ?? '' })
    const heard = path.join(folder.path, `${mechanism}.m4a`)
    await writeFile(heard, Buffer.from(await audio.arrayBuffer()))
    expect(Math.abs((await decodedMs(heard)) - seconds * 1000)).toBeLessThan(250)
  },
)

test('subsonic-api is given the cover of the song, its album and a playlist, in the size that it asks for', async () => {
  const { server, password: apiKey } = password
  const player = new SubsonicAPI({ url: server, auth: { apiKey } })
  const { song } = await eventually(() => player.getSong({ id: `tr-${track.id}` }), {
    describe: 'the manifest of the track is read',
    deadlineMs: 20_000,
    until: ({ song }) => song.coverArt !== undefined,
  })
  const { albumList2 } = await player.getAlbumList2({ type: 'newest', size: 500 })
  const { playlists } = await player.getPlaylists()
  const album = albumList2.album?.find(({ name }) => name === 'Sublime album')
  const playlist = playlists.playlist?.find(({ name }) => name === 'Sublime list')
  for (const shown of [song, album, playlist]) {
    const sizes = []
    for (const size of [100, 400]) {
      const cover = await player.getCoverArt({ id: shown?.coverArt ?? '', size })
      expect([cover.status, cover.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
      sizes.push((await cover.arrayBuffer()).byteLength)
    }
    expect(sizes[0]).toBeLessThan(sizes[1] ?? 0)
  }
})

test('a player makes a playlist, changes it and deletes it, as the network has it then', async () => {
  const { connection, account } = artist
  const { server, password: apiKey } = password
  const player = new SubsonicAPI({ url: server, auth: { apiKey } })
  await allowPlayerWrites(connection, account)
  const name = `Player's list ${Date.now()}`
  const id = `tr-${track.id}`
  expect(await player.createPlaylist({ name, songId: [id] })).toMatchObject({ status: 'ok' })
  const playlist = await eventually(
    async () => (await player.getPlaylists()).playlists.playlist?.find((one) => one.name === name),
    { describe: 'the playlist is there', deadlineMs: 30_000, until: (found) => found !== undefined },
  )
  const playlistId = playlist?.id ?? ''
  const shows = (expected: object) =>
    eventually(async () => (await player.getPlaylist({ id: playlistId })).playlist, {
      describe: `the playlist shows ${JSON.stringify(expected)}`,
      deadlineMs: 30_000,
      until: (found) => isDeepStrictEqual({ ...found, ...expected }, found),
    })
  expect(await shows({ songCount: 1, readonly: false })).toMatchObject({ entry: [{ id }] })
  const changes = { comment: 'Late', public: false, songIndexToRemove: [0] }
  expect(await player.updatePlaylist({ playlistId, ...changes })).toMatchObject({ status: 'ok' })
  await shows({ comment: 'Late', public: false, songCount: 0 })
  // All that it holds, by the same method that has made it.
  await player.createPlaylist({ playlistId, songId: [id] })
  expect(await shows({ songCount: 1 })).toMatchObject({ name, comment: 'Late', entry: [{ id }] })
  expect(await player.deletePlaylist({ id: playlistId })).toMatchObject({ status: 'ok' })
  await eventually(() => player.getPlaylist({ id: playlistId }), {
    describe: 'the playlist is gone',
    deadlineMs: 30_000,
    until: ({ status }) => status === 'failed',
  })
  await forbidPlayerWrites(connection, account)
}, 180_000)

test('a player keeps favourites for a listener from when that is allowed until it is forbidden', async () => {
  const { connection, account } = artist
  const { server, password: apiKey } = password
  const ask = async (method: string, query: Record<string, string> = {}) => {
    const search = new URLSearchParams({ apiKey, v: '1.16.1', c: 'test', f: 'json', ...query })
    return (await (await fetch(`${server}/rest/${method}?${search}`)).json())['subsonic-response']
  }
  const id = `tr-${track.id}`
  expect(await ask('star', { id })).toMatchObject({ status: 'failed', error: { code: 50 } })
  expect(await allowPlayerWrites(connection, account)).toMatchObject({ server })
  expect(await ask('star', { id })).toMatchObject({ status: 'ok' })
  expect((await ask('getStarred2')).starred2.song).toMatchObject([{ id }])
  expect(await ask('unstar', { id })).toMatchObject({ status: 'ok' })
  expect(await forbidPlayerWrites(connection, account)).toEqual([server])
  expect(await ask('star', { id })).toMatchObject({ status: 'failed', error: { code: 50 } })
}, 90_000)
