import { spawn } from 'node:child_process'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeTemporaryFolder, type TemporaryFolder, testNetwork } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { makeRecording } from './recordings.ts'

const network = testNetwork()
const program = fileURLToPath(import.meta.resolve('@hexachord/cli/package.json')).replace(
  'package.json',
  'main.ts',
)

let folder: TemporaryFolder
let home: string
let song: string

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  home = path.join(folder.path, 'home')
  await mkdir(home)
  await writeFile(path.join(folder.path, 'password'), 'a long enough password\n')
  song = await makeRecording(folder.path, {
    name: 'command',
    seconds: 8,
    tags: { title: 'Command line', artist: 'Shell' },
  })
}, 30_000)
afterAll(() => folder?.remove())

type Ended = { code: number; out: string; err: string }

/** The command as a user's shell runs it: its own process, its own settings, no terminal. */
function hexachord(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
    env: {
      PATH: process.env.PATH,
      HEXACHORD_HOME: home,
      HEXACHORD_DISCOVERY: network.urls.discovery,
      HEXACHORD_CREATORS: network.urls.creator,
      HEXACHORD_PASSWORD_FILE: path.join(folder.path, 'password'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code: code ?? -1, out, err })
    })
  })
}

/** Runs a command that is to work, with --json. @returns what its one line says */
async function answer<T>(...args: string[]): Promise<T> {
  const { code, out, err } = await hexachord(...args, '--json')
  if (code !== 0) throw new Error(`hexachord ${args.join(' ')} ended with ${code}: ${err}`)
  expect(out.trim().split('\n')).toHaveLength(1)
  return JSON.parse(out)
}

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
