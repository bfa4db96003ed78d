import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { account } from '@hexachord/sdk/fixtures'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from '../fixtures/index.ts'

// Each of many processes takes half a second of a core to start.
jest.setTimeout(60_000)

const recorded = await exampleTrack()
const { address } = account

let network: Network
let user: Cli
let file: string
let isStalled: boolean
beforeEach(async () => {
  isStalled = false
  network = await startNetwork(recorded, { tags: { title: 'Tagged' }, stalls: () => isStalled })
  user = await newUser(network.env)
  await user.giveKey()
  file = join(user.home, 'song.flac')
  await writeFile(file, randomBytes(100_000))
})
afterEach(async () => {
  await user.remove()
  await network.close()
})

describe('hexachord upload', () => {
  test('publishes a file, and prints one line of JSON', async () => {
    const { code, stdout, stderr } = await user(
      'upload',
      file,
      '--artist',
      'Guido',
      '--licence',
      'CC0-1.0',
      '--i-hold-the-rights',
      '--json',
    )
    expect([code, stderr]).toEqual([0, expect.stringContaining('public for ever')])
    expect(stdout.match(/\n/g)).toHaveLength(1)
    const result = JSON.parse(stdout)
    expect(result).toMatchObject({
      track: expect.stringMatching(new RegExp(`^${address}-\\d+$`)),
      manifest: recorded.track.cid,
      replicas: network.holders.map(({ origin }) => ({ endpoint: origin })),
      ms: { transcode: 5, replicate: 6 },
    })
    for (const ms of [result.ms.upload, result.ms.publish, result.ms.total]) {
      expect(Number.isInteger(ms)).toBe(true)
    }
    expect(network.actions).toHaveLength(1)
    expect(JSON.parse(network.actions[0]?.content ?? '')).toMatchObject({
      title: 'Tagged',
      artist: 'Guido',
      licence: 'CC0-1.0',
      rightsHeld: true,
    })
    await expect(user('uploads')).resolves.toMatchObject({ stdout: 'everything is finished\n' })
  })

  test('tells how it goes on, as lines of text or of JSON', async () => {
    const words = await user('upload', file, '--artist', 'Guido', '--i-hold-the-rights')
    expect(words.stderr).toMatch(/song\.flac: sending: 0\.\d MB of 0\.1 MB to http/)
    expect(words.stderr).toMatch(/song\.flac: applied: everybody can find it/)
    const json = await user('upload', file, '--artist', 'Guido', '--i-hold-the-rights', '--again', '--json')
    const events = json.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events[0]).toEqual({ notice: expect.stringContaining('public for ever') })
    const steps = new Set(events.slice(1).map(({ step }) => step))
    expect([...steps]).toEqual(expect.arrayContaining(['sending', 'ready', 'publishing']))
    expect(events.at(-1)).toMatchObject({ file, step: 'publishing', status: 'applied' })
  })

  test('publishes nothing twice, unless it is told to', async () => {
    const command = ['upload', file, '--artist', 'Guido', '--i-hold-the-rights', '--json']
    const first = JSON.parse((await user(...command)).stdout)
    const requests = network.creator.requests.filter((request) => !request.startsWith('GET')).length
    const second = JSON.parse((await user(...command)).stdout)
    expect(second).toMatchObject({ track: first.track, reused: true })
    expect(network.creator.requests.filter((request) => !request.startsWith('GET'))).toHaveLength(requests)
    const again = JSON.parse((await user(...command, '--again')).stdout)
    expect(again.track).not.toBe(first.track)
    expect(network.actions).toHaveLength(2)
  })

  test('replaces a track: what is not given stays as it was', async () => {
    const first = ['upload', file, '--artist', 'Guido', '--genre', 'chant', '--licence', 'CC0-1.0']
    const { track } = JSON.parse((await user(...first, '--i-hold-the-rights', '--json')).stdout)
    const other = join(user.home, 'other.flac')
    await writeFile(other, randomBytes(50_000))
    const replaced = await user(
      ...['upload', other, '--replace', track, '--title', 'Better', '--i-hold-the-rights', '--json'],
    )
    expect(JSON.parse(replaced.stdout)).toMatchObject({ track })
    expect(JSON.parse(network.actions[1]?.content ?? '')).toMatchObject({
      prev: expect.stringMatching(/^0x/),
      title: 'Better',
      artist: 'Guido',
      genre: 'chant',
      licence: 'CC0-1.0',
    })
  })

  test('does not replace what is not there', async () => {
    const unknown = `${address}-12345`
    const { code } = await user('upload', file, '--replace', unknown, '--i-hold-the-rights')
    expect(code).toBe(3)
    expect(network.creator.requests).toEqual([])
  })

  test('keeps what it has sent when something is missing in the end', async () => {
    const nameless = await user('upload', file, '--i-hold-the-rights')
    expect(nameless).toMatchObject({ code: 2, stdout: '' })
    expect(nameless.stderr).toContain('give --artist')
    const { uploads } = JSON.parse((await user('uploads', '--json')).stdout)
    expect(uploads).toMatchObject([{ file: 'song.flac', state: 'ready', detail: 'not published yet' }])
    const sent = network.creator.requests.filter((request) => request.startsWith('PATCH')).length
    const named = await user('upload', file, '--i-hold-the-rights', '--artist', 'Guido', '--title', 'Mine')
    expect(named).toMatchObject({ code: 0 })
    expect(named.stdout).toMatch(/^Mine by Guido\n0x.*\nheld by 3 operators\nhttp:.*\/stream\n$/)
    expect(network.creator.requests.filter((request) => request.startsWith('PATCH'))).toHaveLength(sent)
  })

  test.each([
    ['no rights', [], 'there is no terminal to ask at: give --i-hold-the-rights'],
    ['a licence that is none', ['--licence', 'do what you want'], 'licence: must be an SPDX licence'],
    ['a title that is too long', ['--title', 'x'.repeat(201)], 'title: '],
    ['a track that is none', ['--replace', 'my-song'], "'my-song' is no track id"],
    ['no node of the chain to pay at', ['--pay'], '--pay needs --rpc'],
    ['a premium track that has no price', ['--premium'], '--premium needs --price'],
    ['a preview of what anybody hears', ['--preview', '30'], '--preview and --key-holder are for --premium'],
    ['a key holder that is no address', ['--premium', '--key-holder', '0x1'], "'0x1' is not an address"],
    [
      'the file itself beside what is encrypted',
      ['--premium', '--price', '0.1', '--keep-original'],
      '--keep-original would give away',
    ],
    ['a number that is none', ['--parallel', 'many'], 'It must be a number from 1 to 99.'],
  ])(
    'sends nothing with %s',
    async (_, options, message) => {
      const { code, stderr } = await user('upload', file, '--artist', 'Guido', ...options)
      expect(code).toBe(2)
      expect(stderr).toContain(message)
      expect(network.creator.requests).toEqual([])
    },
    20_000,
  )

  test('keeps at Ctrl-C what was sent, says so, and goes on with it', async () => {
    isStalled = true
    const command = ['upload', file, '--artist', 'Guido', '--i-hold-the-rights'] as const
    const stopped = await user.interrupt(/transcoding: looks into the file/, 'SIGINT', ...command)
    expect(stopped).toMatchObject({ code: 130, stdout: '' })
    expect(stopped.stderr).toMatch(/hexachord: interrupted: what was sent is kept; the same command goes on/)
    const { uploads } = JSON.parse((await user('uploads', '--json')).stdout)
    expect(uploads).toMatchObject([{ file: 'song.flac', state: 'processing' }])
    // The node has all that it needs, and ends its work while nobody looks.
    network.finish(uploads[0].url)
    const sent = network.creator.requests.filter((request) => !request.startsWith('GET')).length
    await expect(user(...command)).resolves.toMatchObject({ code: 0 })
    const posts = network.creator.requests.filter((request) => !request.startsWith('GET')).slice(sent)
    expect(posts).toEqual(['POST /actions'])
  })

  test('stops at Ctrl-C with 130', async () => {
    await network.creator.close()
    const { code, stderr } = await user.interrupt(
      /public for ever/,
      'SIGINT',
      'upload',
      file,
      '--artist',
      'Guido',
      '--i-hold-the-rights',
    )
    expect(code).toBe(130)
    expect(stderr).toMatch(/hexachord: interrupted\n$/)
  })
})
