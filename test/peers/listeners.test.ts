import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Track } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { decodedMs, makeRecording, runProgram } from '../network/recordings.ts'
import { newSubject } from '../network/tus.ts'
import { program, whyMissing } from './debian.ts'

const mpd = await program('mpd')
const mpc = await program('mpc')
const gpodder = await program('gpo', 'gpodder')

const network = testNetwork()
const { discovery } = network.urls
const seconds = 12
const title = 'Jóga & <Ω> 🎵'

let folder: TemporaryFolder
let artist: Artist
let track: Track
let playlist: string

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  artist = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'for listeners', seconds })
  ;({ track } = await artist.release(file, { title }))
  const subject = newSubject(artist)
  playlist = subject
  await artist.write('playlist', subject, { prev: null, title: 'For listeners', add: [{ track: track.id }] })
}, 120_000)
afterAll(() => folder?.remove())

describe(`MPD${whyMissing('missing' in mpd ? mpd : mpc)}`, () => {
  const run = 'path' in mpd && 'path' in mpc ? test : test.skip
  let stop: () => Promise<void>
  let socket: string
  const ask = async (...args: string[]) =>
    Buffer.from((await runProgram('mpc', ['--host', socket, ...args])).output, 'latin1').toString()

  beforeAll(async () => {
    if ('missing' in mpd || 'missing' in mpc) return
    socket = path.join(folder.path, 'mpd.socket')
    const lists = path.join(folder.path, 'lists')
    await mkdir(lists)
    const config = path.join(folder.path, 'mpd.conf')
    const output = 'audio_output {\n type "null"\n name "nothing"\n sync "yes"\n}\n'
    await writeFile(config, `bind_to_address "${socket}"\nplaylist_directory "${lists}"\n${output}`)
    const child = spawn('mpd', ['--no-daemon', '--stderr', config], { stdio: 'ignore' })
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    stop = async () => {
      child.kill()
      await ended
    }
    await eventually(() => ask('status'), { describe: 'MPD', deadlineMs: 10_000 })
  })
  afterAll(() => stop?.())

  run.each([
    ['an M3U', () => `/v1/playlists/${playlist}/tracks.m3u8`, ''],
    ['an XSPF', () => `/v1/playlists/${playlist}/tracks.xspf`, title],
    // Of a title in a feed MPD 0.23 takes what stands before the first entity.
    ['a feed', () => `/v1/users/${artist.account.address}/feed.xml`, 'Jóga'],
  ])('plays what %s lists, and seeks in it', async (_, place, shown) => {
    await ask('clear')
    await ask('load', discovery + place())
    const listed = await ask('playlist', '--format', '[%title% ]%file%')
    expect(listed).toContain(`${discovery}/v1/tracks/${track.id}/audio.m4a`)
    expect(listed).toContain(shown)
    await ask('play')
    const playing = await eventually(() => ask('status'), {
      describe: 'MPD playing',
      deadlineMs: 15_000,
      until: (status) => /\[playing\].*0:0[1-9]\/0:12/.test(status),
    })
    expect(playing).not.toContain('ERROR')
    await ask('seek', '0:09')
    await eventually(() => ask('status'), {
      describe: 'MPD at another place, or at the end',
      deadlineMs: 15_000,
      until: (status) => /0:(09|1\d)\/0:12/.test(status) || !status.includes('[playing]'),
    })
    expect(await ask('status')).not.toContain('ERROR')
  })
})

describe(`gPodder${whyMissing(gpodder)}`, () => {
  const run = 'path' in gpodder ? test : test.skip
  run(
    'subscribes to an artist and downloads a track that plays',
    async () => {
      const home = path.join(folder.path, 'gpodder')
      await mkdir(home)
      const gpo = (...args: string[]) =>
        runProgram('env', [`GPODDER_HOME=${home}`, 'LANG=C.UTF-8', 'gpo', ...args])
      const feed = `${discovery}/v1/users/${artist.account.address}/feed.xml`
      await gpo('subscribe', feed)
      await gpo('update')
      const pending = Buffer.from((await gpo('pending')).output, 'latin1').toString()
      expect(pending).toContain(title)
      await gpo('download')
      const found = (await runProgram('find', [home, '-name', '*.m4a', '-size', '+10k'])).output.trim()
      expect(Math.abs((await decodedMs(found)) - seconds * 1000)).toBeLessThan(100)
    },
    60_000,
  )
})
