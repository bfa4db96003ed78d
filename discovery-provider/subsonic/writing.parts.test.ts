import { type Scope, saveKey } from '@hexachord/protocol/actions'
import { type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import { writingKeySchema } from '@hexachord/protocol/rest'
import { createToken } from '@hexachord/protocol/tokens'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import SubsonicAPI from 'subsonic-api'
import { startCreator, type TestCreator } from '../fixtures/creator-node.ts'
import {
  album,
  bjork,
  guido,
  hidden,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { type Listener, newListener } from '../fixtures/subsonic-listener.ts'
import { actedLog, rules } from '../fixtures/synthetic-network.ts'

let served: ServedCatalogue
let creator: TestCreator
let me: Listener
let player: SubsonicAPI
beforeAll(async () => {
  served = await serveCatalogue('chain')
  creator = await startCreator(served)
  me = await newListener(served, '3e')
  const { username, password } = me.password
  player = new SubsonicAPI({ url: served.origin, auth: { username, password } })
})
beforeEach(() => creator.refuse())
afterAll(async () => {
  await creator.close()
  await served.close()
})

async function writingKey() {
  const expiresAt = served.now() + 60_000
  const authorization = await createToken(me.wallet, rules.domain, {
    audience: 'https://discovery.example',
    expiresAt,
  })
  const response = await served.get('/v1/writing-key', { authorization })
  return writingKeySchema.parse(await response.json())
}

/** Lets the server sign kinds of actions in the listener's name, or, with none, nothing. */
async function allow(scopes: readonly Scope[]) {
  const { key } = await writingKey()
  const expiresAtMs = served.now() + 86_400_000
  const content = { key, scopes: [...scopes], expiresAtMs, atMs: served.now() }
  await served.catalogue.put(
    actedLog({ author: me.account, kind: 'delegate', subject: userSubject(me.account), content }),
  )
  expect(await served.catalogue.lastVerdicts(1)).toEqual([{ verdict: 'applied', reason: null }])
}

const allowAll = async () => allow((await writingKey()).scopes)
const starred = async () => (await player.getStarred2()).starred2
/** A new one, without songs. */
const ownPlaylist = async () => (await player.createPlaylist({ name: 'Mine' })).playlist
const actionCount = async () => (await served.catalogue.rows('action')).length
const refusal = (words: string) => ({ error: { code: 50, message: expect.stringContaining(words) } })

describe('a player writes', () => {
  test.each([
    ['star', { id: `tr-${joga}` }],
    ['unstar', { id: `tr-${joga}` }],
    ['createPlaylist', { name: 'Mornings' }],
    ['setRating', { id: `tr-${joga}`, rating: '5' }],
  ])('nothing before the listener has allowed it: %s', async (method, query) => {
    const words = method === 'setRating' ? 'nobody rates' : 'hexachord app-password allow-writes'
    expect(await me.ask(method, query)).toEqual(refusal(words))
    expect((await writingKey()).allowed).toEqual([])
    expect(await player.getUser({ username: me.account })).toMatchObject({ user: { playlistRole: false } })
  })

  test('favourites, by a key of the server that nobody else shares', async () => {
    await allowAll()
    const { key, allowed } = await writingKey()
    expect(allowed).toEqual(['save', 'follow', 'playlist', 'delete'])
    await player.star({ id: `tr-${joga}`, albumId: `al-${album}` })
    expect(await starred()).toMatchObject({ song: [{ id: `tr-${joga}` }], album: [{ id: `al-${album}` }] })
    const saves = (await served.catalogue.rows('save')).filter(({ author }) => author === me.account)
    expect(saves).toHaveLength(2)
    expect([...creator.accounts]).toEqual([key])
    const other = await newListener(served, '4e')
    expect(await other.ask('star', { id: `tr-${joga}` })).toEqual(refusal('may not sign'))
    await player.unstar({ id: [`tr-${joga}`, `al-${album}`] as unknown as string })
    expect(await starred()).toMatchObject({ song: [], album: [] })
  })

  test('artists that the listener follows, which players show as favourites', async () => {
    await allowAll()
    await player.star({ artistId: `ar-${bjork}` })
    // Players that browse by folders know no other name for it.
    await player.star({ id: `ar-${guido}` })
    const since = { starred: expect.anything() }
    expect(await starred()).toMatchObject({
      artist: [
        { id: `ar-${guido}`, name: 'Guido', ...since },
        { id: `ar-${bjork}`, ...since },
      ],
    })
    expect(await me.ask('getStarred')).toMatchObject({
      starred: { artist: [{ name: 'Guido', ...since }, {}] },
    })
    expect((await player.getArtist({ id: `ar-${bjork}` })).artist).toMatchObject(since)
    expect((await player.search3({ query: 'Guido' })).searchResult3.artist).toMatchObject([since])
    expect((await player.getArtists()).artists.index).toMatchObject([
      { artist: [since] },
      { artist: [since] },
    ])
    await player.unstar({ artistId: [`ar-${bjork}`, `ar-${guido}`] as unknown as string })
    expect((await starred()).artist).toEqual([])
    expect((await player.getArtist({ id: `ar-${bjork}` })).artist).not.toHaveProperty('starred')
    expect(await me.ask('star', { artistId: `ar-${me.account}` })).toMatchObject({
      error: { message: expect.stringContaining('nobody follows oneself') },
    })
  })

  test('what it was allowed before artists could be followed, and is told how to allow that', async () => {
    await allow(['save', 'playlist', 'delete'])
    const before = await actionCount()
    expect(await me.ask('star', { id: `tr-${joga}`, artistId: `ar-${bjork}` })).toEqual(
      refusal('may not sign a follow action for you: to let players'),
    )
    expect(await actionCount()).toBe(before)
    expect(await me.ask('star', { id: `tr-${joga}` })).toEqual({})
    await player.unstar({ id: `tr-${joga}` })
  })

  test('a favourite also where the clock of another device is ahead', async () => {
    await allowAll()
    const ahead = { target: hymn, on: true, atMs: served.now() + 1_800_000 }
    await served.catalogue.put(
      actedLog({ author: me.account, kind: 'save', subject: userSubject(me.account), content: ahead }),
    )
    await player.unstar({ id: `tr-${hymn}` })
    expect(await starred()).toMatchObject({ song: [] })
    const { rows } = await served.catalogue.database.postgres.query(
      'SELECT value FROM state WHERE key = $1',
      [saveKey(me.account, hymn)],
    )
    expect(rows[0]).toMatchObject({ value: { on: false, atMs: ahead.atMs + 1 } })
  })

  test('playlists: made, changed, ordered anew and deleted', async () => {
    await allowAll()
    const made = await player.createPlaylist({ name: 'Mornings', songId: [`tr-${joga}`, `tr-${hymn}`] })
    const { id } = made.playlist
    expect(made).toMatchObject({
      status: 'ok',
      playlist: { name: 'Mornings', songCount: 2, readonly: false, entry: [{ id: `tr-${joga}` }, {}] },
    })
    await player.updatePlaylist({
      ...{ playlistId: id, name: 'Evenings', comment: 'Late', public: false },
      ...{ songIndexToRemove: [0] },
    })
    expect(await player.getPlaylist({ id })).toMatchObject({
      playlist: { name: 'Evenings', comment: 'Late', public: false, entry: [{ id: `tr-${hymn}` }] },
    })
    await player.createPlaylist({ playlistId: id, songId: [`tr-${joga}`, `tr-${hymn}`] })
    expect((await player.getPlaylist({ id })).playlist.entry?.map((song) => song.id)).toEqual([
      `tr-${joga}`,
      `tr-${hymn}`,
    ])
    // More than fits into one action, and all there in order when it is answered.
    const songs = Array.from({ length: 130 }, (_, n) => `tr-${subjectOf(bjork, BigInt(n + 100))}`)
    await player.updatePlaylist({ playlistId: id, songIdToAdd: songs })
    const [row] = (await served.catalogue.rows('playlist')).filter((one) => `pl-${one.id}` === id)
    expect(row).toMatchObject({ tracks: [joga, hymn, ...songs.map((song) => song.slice(3))] })
    await player.deletePlaylist({ id })
    expect(await player.getPlaylist({ id })).toMatchObject({ status: 'failed', error: { code: 70 } })
  })

  test('a whole playlist without that songs are lost when the network stops taking it', async () => {
    await allowAll()
    const songs = Array.from({ length: 110 }, (_, n) => `tr-${subjectOf(bjork, 10n ** 28n + BigInt(n))}`)
    const { id } = (await player.createPlaylist({ name: 'Long', songId: [`tr-${joga}`, ...songs] })).playlist
    const tracks = async () => {
      const row = (await served.catalogue.rows('playlist')).find((one) => `pl-${one.id}` === id)
      return (row?.tracks as string[] | undefined)?.map((track) => `tr-${track}`)
    }
    expect(await tracks()).toEqual([`tr-${joga}`, ...songs])
    creator.refuse(429, 'the budget of today is spent', 1)
    const anew = [`tr-${hymn}`, ...[...songs].reverse()]
    const form = { playlistId: id, songId: anew }
    expect(await me.post('createPlaylist', form)).toMatchObject({ error: { code: 0 } })
    expect(await tracks()).toEqual(expect.arrayContaining([`tr-${joga}`, ...songs]))
    expect(await tracks()).toHaveLength(112)
    creator.refuse()
    expect(await me.post('createPlaylist', form)).toMatchObject({ playlist: { songCount: 1 } })
    expect(await tracks()).toEqual(anew)
    // One that fits is changed by one action: all of it, or nothing.
    const before = await actionCount()
    await player.createPlaylist({ playlistId: id, songId: [`tr-${joga}`] })
    await player.createPlaylist({ playlistId: id, songId: [`tr-${hymn}`] })
    expect(await tracks()).toEqual([`tr-${hymn}`])
    expect(await actionCount()).toBe(before + 3)
    await player.deletePlaylist({ id })
  })

  test('a playlist as long as there can be one', async () => {
    await allowAll()
    const songs = Array.from({ length: 2_000 }, (_, n) => `tr-${subjectOf(bjork, 10n ** 28n + BigInt(n))}`)
    const made = (await me.post('createPlaylist', { name: 'All', songId: songs })) as {
      playlist: { id: string }
    }
    const tracks = async () =>
      (await served.catalogue.rows('playlist')).find((one) => `pl-${one.id}` === made.playlist.id)?.tracks
    expect(await tracks()).toEqual(songs.map((song) => song.slice(3)))
    const before = await actionCount()
    const more = { playlistId: made.playlist.id, songIdToAdd: `tr-${joga}` }
    expect(await me.post('updatePlaylist', more)).toEqual({
      error: { code: 0, message: 'a playlist holds 2000 songs at most' },
    })
    const tooMany = { playlistId: made.playlist.id, songId: [...songs, `tr-${joga}`] }
    expect(await me.post('createPlaylist', tooMany)).toEqual({
      error: { code: 0, message: expect.stringContaining('at most 2000 times') },
    })
    expect(await actionCount()).toBe(before)
  })

  test.each([
    ['createPlaylist', { name: 'n'.repeat(201) }, "'name' must be one line"],
    ['createPlaylist', { name: 'Two\nlines' }, "'name' must be one line"],
    ['updatePlaylist', { name: 'n'.repeat(201) }, "'name' must be one line"],
    ['updatePlaylist', { comment: 'c'.repeat(2_001) }, "'comment' must be text of at most 2000"],
    ['updatePlaylist', { comment: 'bell\u0007' }, "'comment' must be text of at most 2000"],
  ])('no text that does not fit: %s %o', async (method, query, words) => {
    await allowAll()
    const before = await actionCount()
    const { id } = method === 'updatePlaylist' ? await ownPlaylist() : { id: undefined }
    const error = await me.post(method, { ...query, ...(id && { playlistId: id }) })
    expect(error).toEqual({ error: { code: 0, message: expect.stringContaining(words) } })
    expect(await actionCount()).toBe(before + (id ? 1 : 0))
  })

  test('the longest comment beside as many songs as one action takes without it', async () => {
    await allowAll()
    const { id } = await ownPlaylist()
    const songs = Array.from({ length: 60 }, (_, n) => `tr-${subjectOf(bjork, 10n ** 28n + BigInt(n))}`)
    const comment = 'ღ\r\n'.repeat(1_000)
    expect(await me.post('updatePlaylist', { playlistId: id, comment, songIdToAdd: songs })).toEqual({})
    const [row] = (await served.catalogue.rows('playlist')).filter((one) => `pl-${one.id}` === id)
    expect(row).toMatchObject({
      description: 'ღ\n'.repeat(1_000),
      tracks: songs.map((song) => song.slice(3)),
    })
  })

  test('a playlist anew, in which what the player was not shown stays where it is', async () => {
    await allowAll()
    const { id } = await ownPlaylist()
    await player.updatePlaylist({ playlistId: id, songIdToAdd: [`tr-${joga}`, `tr-${hidden}`, `tr-${hymn}`] })
    expect((await player.getPlaylist({ id })).playlist.entry).toMatchObject([
      { id: `tr-${joga}` },
      { id: `tr-${hymn}` },
    ])
    await player.createPlaylist({ playlistId: id, songId: [`tr-${hymn}`, `tr-${joga}`] })
    const [row] = (await served.catalogue.rows('playlist')).filter((one) => `pl-${one.id}` === id)
    expect(row).toMatchObject({ tracks: [hymn, joga, hidden] })
    await player.updatePlaylist({ playlistId: id, songIndexToRemove: [0, 1] })
    expect((await player.getPlaylist({ id })).playlist.songCount).toBe(0)
  })

  test("nothing of somebody else's, nothing unknown, and nothing that is private", async () => {
    await allowAll()
    const diary = subjectOf(me.account, 2n)
    const sealed = { from: `0x${'05'.repeat(32)}`, keys: ['A'.repeat(64)], box: 'c2VhbGVk' }
    await served.catalogue.put(
      actedLog({ author: me.account, kind: 'playlist', subject: diary, content: { prev: null, sealed } }),
    )
    const before = await actionCount()
    expect(await me.ask('deletePlaylist', { id: `pl-${album}` })).toEqual(refusal('somebody else'))
    const unknown: [string, Record<string, string>, number][] = [
      ['updatePlaylist', { playlistId: `pl-${diary}`, name: 'Open' }, 70],
      ['deletePlaylist', { id: `pl-${subjectOf(me.account, 99n)}` }, 70],
      ['createPlaylist', {}, 10],
      ['star', {}, 10],
      ['star', { artistId: 'ar-bjork' }, 70],
      ['star', { id: `al-${bjork}` }, 0],
    ]
    for (const [method, query, code] of unknown) {
      expect([method, await me.ask(method, query)]).toMatchObject([method, { error: { code } }])
    }
    expect(await me.ask('updatePlaylist', { playlistId: `pl-${album}` })).toEqual(refusal('somebody else'))
    expect(await actionCount()).toBe(before)
  })

  test('and is told what the network says, or that nobody takes it', async () => {
    await allowAll()
    const nothing = subjectOf(bjork, 77n) as Subject
    expect(await me.ask('star', { id: `tr-${nothing}` })).toEqual({
      error: { code: 0, message: expect.stringContaining(`there is no track or playlist ${nothing}`) },
    })
    creator.refuse(429, 'the budget of today is spent')
    expect(await me.ask('star', { id: `tr-${joga}` })).toEqual({
      error: { code: 0, message: 'the budget of today is spent' },
    })
  })

  test('only what it may, and nothing any more once that is revoked', async () => {
    await allow(['save'])
    expect(await me.ask('createPlaylist', { name: 'Mornings' })).toEqual(refusal('may not sign a playlist'))
    expect(await me.ask('star', { id: `tr-${joga}` })).toEqual({})
    await allow([])
    expect(await me.ask('unstar', { id: `tr-${joga}` })).toEqual(refusal('allow-writes'))
    expect((await writingKey()).allowed).toEqual([])
    expect(await starred()).toMatchObject({ song: [{ id: `tr-${joga}` }] })
  })
})
