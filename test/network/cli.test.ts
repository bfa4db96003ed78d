import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { makeTemporaryFolder, type TemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type HexachordCommand, hexachordCommand } from './hexachord-command.ts'
import { decodedMs, makeRecording } from './recordings.ts'

const network = testNetwork()
let folder: TemporaryFolder
let command: HexachordCommand
let home: string
let song: string

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  command = await hexachordCommand(network, folder.path)
  home = command.home
  song = await makeRecording(folder.path, {
    name: 'command',
    seconds: 8,
    tags: { title: 'Command line', artist: 'Shell' },
  })
}, 30_000)
afterAll(() => folder?.remove())

const hexachord = (...args: string[]) => command.run(...args)
const answer = <T>(...args: string[]) => command.answer<T>(...args)

describe('the hexachord command', () => {
  let address: string
  let track: string

  test('makes a key, keeps it encrypted, and never makes a second one over it', async () => {
    const made = await answer<{ address: string; path: string }>('key', 'new')
    address = made.address
    const file = await readFile(made.path, 'utf8')
    expect(JSON.parse(file)).toMatchObject({ version: 3 })
    expect((await answer<{ address: string }>('key', 'show')).address).toBe(address)
    expect((await hexachord('key', 'new')).code).toBe(2)
    expect(await readFile(made.path, 'utf8')).toBe(file)
  })

  test('gives back the same key from its words, and from its file', async () => {
    const { words } = await answer<{ words: string }>('key', 'backup')
    expect(words.split(' ')).toHaveLength(12)
    const exported = path.join(folder.path, 'exported.json')
    await answer('key', 'export', exported)
    await writeFile(path.join(folder.path, 'words'), words)
    await rename(path.join(home, 'key.json'), path.join(folder.path, 'first.json'))
    const restored = await answer<{ address: string }>(
      'key',
      'restore',
      '--words-file',
      path.join(folder.path, 'words'),
    )
    expect(restored.address).toBe(address)
    await rename(path.join(home, 'key.json'), path.join(folder.path, 'second.json'))
    expect((await answer<{ address: string }>('key', 'import', exported)).address).toBe(address)
  })

  test('asks for the rights, and publishes nothing without them', async () => {
    const { code, err } = await hexachord('upload', song)
    expect(code).toBe(2)
    expect(err).toMatch(/public for ever/)
  })

  test('publishes a file', async () => {
    const published = await answer<{ track: string; replicas: unknown[]; ms: Record<string, number> }>(
      ...['upload', song, '--i-hold-the-rights', '--licence', 'CC0-1.0'],
    )
    track = published.track
    expect(track.startsWith(`${address}-`)).toBe(true)
    expect(published.replicas).toHaveLength(3)
  })

  test('finds it by the words of its own tags', async () => {
    const { tracks } = await answer<{ tracks: { id: string; artist: string }[] }>('search', 'command', 'line')
    expect(tracks.find(({ id }) => id === track)).toMatchObject({ artist: 'Shell' })
    expect((await hexachord('search', 'command', 'line')).out).toContain(track)
  })

  test('plays it, by id and by words, and tells what it has heard', async () => {
    const report = await answer<Record<string, unknown>>('play', track, '--output', 'null')
    expect(report).toMatchObject({ track, hashFailures: 0 })
    expect(Math.abs(Number(report.decodedMs) - 8_000)).toBeLessThan(250)
    const spoken = await hexachord('play', 'command line', '--output', 'null')
    expect(spoken.code).toBe(0)
    expect(spoken.err).toContain('Command line by Shell')
    expect(spoken.out).toMatch(/every hash checked/)
  })

  test('makes an app password, with which a player finds the track and hears all of it, until it is revoked', async () => {
    const made = await answer<{ id: string; server: string; username: string; password: string }>(
      ...['app-password', 'create', 'kitchen radio'],
    )
    expect(made).toMatchObject({ server: network.urls.discovery, username: address })
    const { items } = await answer<{ items: { id: string; device: string }[] }>('app-password', 'list')
    expect(items).toMatchObject([{ id: made.id, device: 'kitchen radio' }])

    const ask = (method: string, query: Record<string, string> = {}) => {
      const login = { u: made.username, p: made.password, v: '1.16.1', c: 'test', f: 'json' }
      return fetch(`${made.server}/rest/${method}?${new URLSearchParams({ ...login, ...query })}`)
    }
    const found = await ask('search3', { query: 'command line' })
    expect(await found.json()).toMatchObject({
      'subsonic-response': {
        searchResult3: { song: expect.arrayContaining([expect.objectContaining({ id: `tr-${track}` })]) },
      },
    })
    const audio = await ask('stream', { id: `tr-${track}` })
    expect([audio.status, audio.redirected]).toEqual([200, true])
    const heard = path.join(folder.path, 'kitchen radio.m4a')
    await writeFile(heard, Buffer.from(await audio.arrayBuffer()))
    expect(Math.abs((await decodedMs(heard)) - 8_000)).toBeLessThan(250)

    expect(await answer('app-password', 'revoke', made.id)).toEqual({ revoked: made.id, server: made.server })
    expect(await (await ask('ping')).json()).toMatchObject({ 'subsonic-response': { error: { code: 40 } } })
    expect((await hexachord('app-password', 'revoke', made.id)).code).toBe(3)
  }, 60_000)

  test('publishes several files as an album, in the order of their numbers, and takes it back', async () => {
    const files = await Promise.all(
      [2, 1].map((number) =>
        makeRecording(folder.path, {
          name: `album-${number}`,
          seconds: 7,
          tags: { title: `Side ${number}`, artist: 'Shell', track: String(number) },
        }),
      ),
    )
    const command = ['upload', ...files, '--album', 'Shells', '--i-hold-the-rights', '--licence', 'CC0-1.0']
    const made = await answer<{ album: string; files: { track: string }[] }>(...command)
    const playlist = await fetch(`${network.urls.discovery}/v1/playlists/${made.album}`)
    expect(await playlist.json()).toMatchObject({
      ...{ title: 'Shells', album: true, author: address },
      tracks: [{ title: 'Side 1' }, { title: 'Side 2' }],
    })
    // The same command finds nothing left to do.
    const again = await answer<{ album: string; files: { track: string; reused: boolean }[] }>(...command)
    expect(again.album).toBe(made.album)
    expect(again.files.map(({ track }) => track)).toEqual(made.files.map(({ track }) => track))
    expect(again.files.map(({ reused }) => reused)).toEqual([true, true])

    await answer('unpublish', made.album, '--yes')
    const gone = await fetch(`${network.urls.discovery}/v1/playlists/${made.album}`)
    expect(gone.status).toBe(410)
    expect((await fetch(`${network.urls.discovery}/v1/tracks/${made.files[0]?.track}`)).status).toBe(200)
  }, 120_000)

  test('publishes a notice about a track, and withdraws it', async () => {
    const claim = ['--ground', 'other', '--statement', 'It is not what it says', '--contact', 'a@example.org']
    const made = await answer<{ notice: string; action: string }>('notice', track, ...claim, '--yes')
    expect(made.notice).toMatch(new RegExp(`^${address}-\\d+$`, 'i'))
    expect((await fetch(`${network.urls.discovery}/v1/tracks/${track}`)).status).toBe(200)
    expect(await answer('notice', '--withdraw', made.action)).toEqual({ withdrawn: made.notice })
    const again = await hexachord('notice', '--withdraw', made.action, '--json')
    expect(again.code).toBe(5)
    // Not what a track was published by: that would delete it.
    const { last } = await (await fetch(`${network.urls.discovery}/v1/tracks/${track}`)).json()
    const mistaken = await hexachord('notice', '--withdraw', last.digest, '--json')
    expect(mistaken).toMatchObject({ code: 3, err: expect.stringContaining('no notice') })
    expect((await fetch(`${network.urls.discovery}/v1/tracks/${track}`)).status).toBe(200)
  }, 60_000)

  test('replaces the audio of a track: its id and what was said of it stay, and the file itself is kept', async () => {
    const better = await makeRecording(folder.path, { name: 'better', seconds: 9, tags: { title: 'Other' } })
    const replaced = await answer<{ track: string }>(
      ...['upload', better, '--replace', track, '--keep-original', '--i-hold-the-rights'],
    )
    expect(replaced.track).toBe(track)
    const now = await (await fetch(`${network.urls.discovery}/v1/tracks/${track}`)).json()
    expect(now).toMatchObject({ title: 'Command line', artist: 'Shell', licence: 'CC0-1.0' })
    expect(Math.abs(now.durationMs - 9_000)).toBeLessThan(250)
    const original = await fetch(`${now.holders[0].endpoint}/originals/${now.manifest}`)
    expect(Buffer.from(await original.arrayBuffer()).equals(await readFile(better))).toBe(true)
  }, 60_000)

  test('sends the same file as another track for nothing, and says so', async () => {
    const twice = await answer<{ track: string; reused: boolean; ms: { transcode?: number } }>(
      ...['upload', song, '--again', '--i-hold-the-rights', '--licence', 'CC0-1.0', '--title', 'Once more'],
    )
    expect(twice).toMatchObject({ reused: true })
    expect(twice.track).not.toBe(track)
    expect((await hexachord('uploads')).out).toBe('everything is finished\n')
  }, 60_000)

  test('shows how the network is', async () => {
    const status = await answer<{
      providers: { lagBlocks: number }[]
      nodes: { endpoint: string; error?: string }[]
    }>('status')
    expect(status.providers).toHaveLength(1)
    expect(new Set(status.nodes.map(({ endpoint }) => endpoint))).toEqual(
      new Set(network.operators.map(({ endpoint }) => endpoint)),
    )
    expect(status.nodes.filter(({ error }) => error !== undefined)).toEqual([])
  })

  test.each([
    ['an unknown command', 2, () => ['dance']],
    ['no argument', 2, () => ['play']],
    ['a file that is not there', 2, () => ['upload', 'no-such-file.flac', '--i-hold-the-rights']],
    ['a track that is not there', 3, () => ['play', `0x${'ab'.repeat(20)}-7`, '--output', 'null']],
    ['words that nothing fits', 3, () => ['play', 'qqqqwwwwzzzz', '--output', 'null']],
    ['a network that is away', 4, () => ['status', '--discovery', 'http://127.0.0.1:9']],
    [
      'a file that is no music',
      5,
      () => ['upload', path.join(folder.path, 'password'), '--i-hold-the-rights', '--artist', 'Nobody'],
    ],
  ])('says what is wrong with %s by exit code %d and one line', async (_, code, args) => {
    const ended = await hexachord(...args())
    expect({ code: ended.code, err: ended.err }).toEqual({ code, err: expect.stringMatching(/\S/) })
    expect(ended.err).not.toMatch(/\n\s+at /)
    if (code === 2) return
    const { err } = await hexachord(...args(), '--json')
    const last = err.trim().split('\n').at(-1) ?? ''
    expect(JSON.parse(last)).toMatchObject({ code, error: expect.stringMatching(/\S/) })
  })
})
