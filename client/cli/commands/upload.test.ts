import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from '../fixtures/index.ts'

// Each of many processes takes half a second of a core to start.
jest.setTimeout(60_000)

const recorded = await exampleTrack()
const address = '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266'

let network: Network
let user: Cli
let file: string
beforeEach(async () => {
  network = await startNetwork(recorded, { tags: { title: 'Tagged' } })
  user = await newUser(network.env)
  const paper = join(user.home, 'words')
  await writeFile(paper, 'test test test test test test test test test test test junk')
  await user('key', 'restore', '--words-file', paper)
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
    const uploads = await readFile(join(user.home, 'hexachord/uploads.json'), 'utf8')
    expect(JSON.parse(uploads)).toEqual({})
  })

  test('keeps what it has sent when something is missing in the end', async () => {
    const nameless = await user('upload', file, '--i-hold-the-rights')
    expect(nameless).toMatchObject({ code: 2, stdout: '' })
    expect(nameless.stderr).toContain('give --artist')
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
