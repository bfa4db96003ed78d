import { spawn, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { claimNetwork } from '@hexachord/scripts/setup'
import { makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'

const start = fileURLToPath(new URL('../../scripts/start.ts', import.meta.url))
const jobTimeoutMs = 180_000

/** A network namespace that has nothing but loopback; an unprivileged one for a plain user. */
const withoutInternet = [
  ['unshare', '--net'],
  ['unshare', '--map-root-user', '--net'],
].find(([program = '', ...args]) => spawnSync(program, [...args, 'true']).status === 0)

type Finished = { code: number | null; output: string; complaints: string }

let folder: TemporaryFolder
let song: string
beforeAll(async () => {
  folder = await makeTemporaryFolder()
  song = path.join(folder.path, 'my song.wav')
  const made = spawnSync('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-f', 'lavfi', '-i', 'sine=frequency=330:duration=14'],
    ...['-metadata', 'title=Fourteen Seconds', '-metadata', 'artist=A Test', song],
  ])
  expect(made.status).toBe(0)
})
afterAll(() => folder.remove())

/** Runs `scripts/start` as a newcomer does, but with a state of its own. */
async function runStart(args: string[]): Promise<Finished> {
  const inside = [
    'sh',
    '-c',
    'ip link set lo up 2>/dev/null; exec "$@"',
    'sh',
    process.execPath,
    start,
    ...args,
  ]
  const [program = '', ...rest] = withoutInternet ? [...withoutInternet, ...inside] : inside.slice(4)
  const child = spawn(program, rest, {
    env: {
      ...process.env,
      HEXACHORD_STATE: path.join(folder.path, 'state'),
      DATABASE_URL: '',
      REDIS_URL: '',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: jobTimeoutMs,
  })
  let output = ''
  let complaints = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    complaints += chunk
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output, complaints }
}

describe('scripts/start, without the internet', () => {
  test('has no way out', () => {
    expect(withoutInternet).toBeDefined()
    const [program = '', ...args] = withoutInternet ?? []
    const routes = spawnSync(program, [...args, 'cat', '/proc/net/route'], { encoding: 'utf8' })
    expect(routes.stdout.trim().split('\n')).toHaveLength(1)
  })

  test(
    'publishes a file and plays it from three operators, and says so in one line of JSON',
    async () => {
      const { code, output, complaints } = await runStart([song, '--once', '--json'])
      expect({ code, complaints: code === 0 ? '' : complaints }).toEqual({ code: 0, complaints: '' })
      const result = JSON.parse(output)
      expect(output.trim().split('\n')).toHaveLength(1)
      expect(result).toMatchObject({
        track: expect.stringMatching(/^0x[0-9a-f]{40}-[0-9]+$/),
        manifest: expect.stringMatching(/^baguqeera/),
        segmentsPlayed: 3,
        hashFailures: 0,
      })
      expect(result.bytesPlayed).toBeGreaterThan(100_000)
      expect(new Set(result.replicas.map(({ operator }: { operator: string }) => operator)).size).toBe(3)
      expect(new Set(result.replicas.map(({ endpoint }: { endpoint: string }) => endpoint)).size).toBe(3)
      expect(Object.keys(result.ms).sort()).toEqual(
        ['firstAudio', 'index', 'publish', 'replicate', 'setup', 'transcode', 'upload'].sort(),
      )
      for (const ms of Object.values(result.ms)) expect(Number.isInteger(ms)).toBe(true)
      for (const step of ['setup', 'upload', 'transcode', 'firstAudio'])
        expect(result.ms[step]).toBeGreaterThan(0)
    },
    jobTimeoutMs,
  )

  test(
    'continues from its state: the same file is played, not published again',
    async () => {
      const { code, output, complaints } = await runStart([song, '--once', '--json'])
      expect({ code, complaints: code === 0 ? '' : complaints }).toEqual({ code: 0, complaints: '' })
      expect(JSON.parse(output)).toMatchObject({
        segmentsPlayed: 3,
        hashFailures: 0,
        ms: { upload: 0, transcode: 0, replicate: 0 },
      })
    },
    jobTimeoutMs,
  )

  test('refuses while a network runs from the same state, and names its process', async () => {
    const claim = claimNetwork(path.join(folder.path, 'state'))
    try {
      const { code, complaints } = await runStart([song, '--once'])
      expect(code).toBe(2)
      expect(complaints).toContain(`pid ${process.pid}`)
    } finally {
      claim.release()
    }
  })

  test(
    'says what is wrong with a file that is missing, empty or no file, and exits with 2',
    async () => {
      const empty = path.join(folder.path, 'empty.wav')
      await writeFile(empty, '')
      for (const [file, message] of [
        [path.join(folder.path, 'missing.wav'), /cannot be read/],
        [empty, /is empty/],
        [folder.path, /is not a file/],
      ] as const) {
        const { code, complaints } = await runStart([file, '--once'])
        expect(code).toBe(2)
        expect(complaints).toMatch(message)
      }
    },
    jobTimeoutMs,
  )

  test(
    'says what is wrong with a file that is not audio, and exits with 1',
    async () => {
      const text = path.join(folder.path, 'words.mp3')
      await writeFile(text, 'these are words, and no music at all\n'.repeat(200))
      const { code, complaints } = await runStart([text, '--once'])
      expect(code).toBe(1)
      expect(complaints).toMatch(/not audio/)
    },
    jobTimeoutMs,
  )
})
