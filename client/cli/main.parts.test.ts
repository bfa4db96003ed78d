import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { recordedTrack, subject } from '@hexachord/sdk/fixtures'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from './fixtures/index.ts'

// Each of many processes takes half a second of a core to start.
jest.setTimeout(60_000)

const recorded = await recordedTrack({ seconds: 20, kbps: [160, 96] })
const words = 'test test test test test test test test test test test junk'

describe('hexachord play', () => {
  let network: Network
  let user: Cli
  afterEach(async () => {
    await user.remove()
    await network.close()
  })

  test('plays every segment, each checked, to the decoder', async () => {
    network = await startNetwork(recorded)
    user = await newUser(network.env)
    const { code, stdout, stderr } = await user('play', subject, '--output', 'null', '--json')
    expect([code, stderr]).toEqual([0, 'Six notes by Guido\n'])
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({
      track: subject,
      manifest: recorded.track.cid,
      rendition: 'aac-160',
      segmentsPlayed: recorded.track.renditions[0]?.segments.length,
      hashFailures: 0,
    })
    expect(Math.abs(report.decodedMs - 20_000)).toBeLessThan(100)
    expect(report.ms.firstAudio).toBeGreaterThan(0)
    expect(report.ms.firstAudio).toBeLessThanOrEqual(report.ms.total)
    process.stderr.write(`hexachord play: first audio after ${report.ms.firstAudio} ms\n`)
  })

  test('plays on when one holder lies and one dies, and counts the lie', async () => {
    network = await startNetwork(recorded, {
      misbehave: [
        (n) => (n > 1 ? (_, response) => response.end('other bytes') : undefined),
        (n) => (n > 1 ? (request) => request.socket.destroy() : undefined),
      ],
    })
    user = await newUser(network.env)
    const { code, stdout, stderr } = await user('play', subject, '--output', 'null', '--json')
    expect(code).toBe(0)
    const report = JSON.parse(stdout)
    expect(report.segmentsPlayed).toBe(recorded.track.renditions[0]?.segments.length)
    expect(Math.abs(report.decodedMs - 20_000)).toBeLessThan(100)
    expect(report.hashFailures).toBe(stderr.match(/ lied; asking another/g)?.length ?? 0)
  })

  test('plays the rendition that is asked for, and names those there are', async () => {
    network = await startNetwork(recorded)
    user = await newUser(network.env)
    const small = await user('play', subject, '--output', 'null', '--rendition', 'aac-96')
    expect(small).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/bytes of aac-96, every hash checked/),
    })
    await expect(user('play', subject, '--output', 'null', '--rendition', 'mp3')).resolves.toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining("no rendition 'mp3', only aac-160, aac-96\n"),
    })
  })

  test('ends with 4 when nobody has the track', async () => {
    network = await startNetwork(recorded, {
      misbehave: Array(3).fill(() => (_: unknown, response: { end: () => void }) => response.end()),
    })
    user = await newUser(network.env)
    const { code, stdout, stderr } = await user('play', subject, '--output', 'null')
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toMatch(/hexachord: no source gave .*\n$/)
  })

  test('plays to the speaker by ffplay, and stops it at Ctrl-C', async () => {
    network = await startNetwork(recorded)
    user = await newUser(network.env)
    // This machine may have no sound card: what stands for ffplay keeps its arguments and all it is given.
    const ffplay = join(user.bin, 'ffplay')
    await writeFile(ffplay, '#!/bin/sh\nprintf %s "$*" > "$0.arguments"\nexec cat > "$0.bytes"\n', {
      mode: 0o755,
    })
    const played = await user('play', subject, '--json')
    expect(played).toMatchObject({ code: 0 })
    const report = JSON.parse(played.stdout)
    expect(report).toMatchObject({ decodedMs: null, ms: { firstAudio: null } })
    expect((await readFile(`${ffplay}.bytes`)).length).toBe(report.bytesPlayed)
    await expect(readFile(`${ffplay}.arguments`, 'utf8')).resolves.toMatch(/-autoexit .*-i pipe:0$/)

    await writeFile(ffplay, '#!/bin/sh\nexec sleep 1000\n')
    const stopped = await user.interrupt(/Six notes/, 'SIGTERM', 'play', subject)
    expect(stopped).toMatchObject({ code: 130, stderr: 'Six notes by Guido\nhexachord: interrupted\n' })
  })

  test('says what to install when there is no decoder', async () => {
    network = await startNetwork(recorded)
    user = await newUser({ ...network.env, PATH: '/nowhere' })
    await expect(user('play', subject)).resolves.toEqual({
      code: 1,
      stdout: '',
      stderr:
        'Six notes by Guido\nhexachord: ffplay cannot be started: install ffmpeg (spawn ffplay ENOENT)\n',
    })
  })
})

describe('at a terminal', () => {
  let user: Cli
  beforeEach(async () => {
    user = await newUser()
  })
  afterEach(() => user.remove())

  /** Runs the command in a terminal of its own, and types each answer when its question stands there.
   * @returns all that the terminal showed */
  async function typed(command: string[], answers: [question: string, answer: string][]) {
    const line = [process.execPath, join(import.meta.dirname, 'main.ts'), ...command].join(' ')
    const child = spawn('script', ['-qefc', line, '/dev/null'], {
      env: {
        PATH: process.env.PATH,
        HOME: user.home,
        HEXACHORD_HOME: join(user.home, 'typed'),
        TERM: 'dumb',
      },
    })
    let shown = ''
    let asked = 0
    child.stdout.on('data', (chunk) => {
      shown += chunk
      const next = answers[asked]
      if (next === undefined || !shown.includes(next[0], 0)) return
      asked += 1
      child.stdin.write(next[1])
    })
    const { promise, resolve } = Promise.withResolvers<number | null>()
    child.once('close', resolve)
    return { code: await promise, shown }
  }

  test('passwords and words are not shown as they are typed', async () => {
    const { code, shown } = await typed(
      ['key', 'restore'],
      [
        ['The 12 words: ', `${words}\r`],
        ['New password', 'correct horse\r'],
        ['The same again', 'correct horse\r'],
      ],
    )
    expect(code).toBe(0)
    expect(shown).toContain('0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266')
    for (const secret of ['junk', 'test', 'correct', 'horse']) expect(shown).not.toContain(secret)
  })

  test('two passwords that differ make no key', async () => {
    const { code, shown } = await typed(
      ['key', 'new'],
      [
        ['New password', 'correct horse\r'],
        ['The same again', 'correct house\r'],
      ],
    )
    expect(code).toBe(2)
    expect(shown).toContain('the two passwords differ')
  })

  test('Ctrl-C at a question ends with 130, Ctrl-D with a clear error', async () => {
    const interrupted = await typed(['key', 'new'], [['New password', '\u0003']])
    expect([interrupted.code, interrupted.shown]).toEqual([130, expect.stringContaining('interrupted')])
    const ended = await typed(['key', 'new'], [['New password', '\u0004']])
    expect([ended.code, ended.shown]).toEqual([2, expect.stringContaining('no answer was given')])
  })
})

test('a reader who has seen enough is no failure', async () => {
  const main = join(import.meta.dirname, 'main.ts')
  const child = spawn(process.execPath, [main, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const { promise, resolve } = Promise.withResolvers<number | null>()
  child.once('close', resolve)
  expect([await promise, stderr]).toEqual([0, ''])
})
