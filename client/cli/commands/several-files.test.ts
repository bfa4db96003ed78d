import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from '../fixtures/index.ts'

// Each of many processes takes half a second of a core to start.
jest.setTimeout(60_000)

const recorded = await exampleTrack()
const names = ['c-one.flac', 'b-two.flac', 'a-three.flac']

let network: Network
let user: Cli
let files: string[]
let broken: string | undefined
let isSpent: boolean
let takenDown: string | undefined
beforeEach(async () => {
  broken = undefined
  isSpent = false
  takenDown = undefined
  network = await startNetwork(recorded, {
    tagsOf: (filename) => ({
      title: filename,
      artist: 'Guido',
      number: names.indexOf(filename) + 1,
    }),
    failure: (filename) =>
      filename === broken ? { problem: 'truncated', reason: 'it ends too early' } : undefined,
    relays: () => !isSpent,
    takenDown: (track) => track === takenDown,
  })
  user = await newUser(network.env)
  await user.giveKey()
  files = names.map((name) => join(user.home, name))
  for (const file of files) await writeFile(file, randomBytes(100_000))
})
afterEach(async () => {
  await user.remove()
  await network.close()
})

const uploadAlbum = (...more: string[]) =>
  user('upload', ...[...files].reverse(), '--album', 'Hexachords', '--i-hold-the-rights', ...more)
const kindsOf = () => network.actions.map(({ kind }) => kind)
const posts = () => network.creator.requests.filter((request) => request === 'POST /uploads').length

describe('several files', () => {
  test('become an album, in the order of their track numbers', async () => {
    const { code, stdout } = await uploadAlbum('--json')
    expect(code).toBe(0)
    const result = JSON.parse(stdout)
    const byFile = new Map<string, string>(
      result.files.map(({ file, track }: { file: string; track: string }) => [file, track]),
    )
    const [album] = [...network.playlists.values()]
    expect(album).toMatchObject({ id: result.album, title: 'Hexachords', album: true })
    expect(album?.trackIds).toEqual(files.map((file) => byFile.get(file)))
    // The album comes last, when all that it lists can be found.
    expect(kindsOf()).toEqual([2, 2, 2, 3])
    for (const { content } of network.actions.slice(0, 3)) {
      expect(JSON.parse(content)).toMatchObject({ album: 'Hexachords' })
    }
  })

  test('are listed as they were given, if that is asked for', async () => {
    const { stdout } = await uploadAlbum('--order', 'given', '--json')
    const tracks = JSON.parse(stdout).files.map(({ track }: { track: string }) => track)
    expect([...network.playlists.values()][0]?.trackIds).toEqual(tracks)
  })

  test('of which one is no good are kept, unpublished; the same command goes on with what lacks', async () => {
    broken = 'b-two.flac'
    const failed = await uploadAlbum()
    expect(failed.code).toBe(5)
    expect(failed.stdout).toMatch(/waiting .*a-three\.flac.*\nfailed .*b-two\.flac {2}it ends too early\n/)
    expect(failed.stderr).toContain('1 of 3 files failed; nothing of the album is lost or published half')
    expect(kindsOf()).toEqual([])
    const before = posts()

    broken = undefined
    await expect(uploadAlbum()).resolves.toMatchObject({ code: 0 })
    expect(posts()).toBe(before + 1)
    expect(kindsOf()).toEqual([2, 2, 2, 3])

    // And once more changes nothing at all.
    const { stdout } = await uploadAlbum()
    expect(stdout.match(/cost nothing now/g)).toHaveLength(3)
    expect([posts(), kindsOf()]).toEqual([before + 1, [2, 2, 2, 3]])
  })

  test('wait signed for a node that pays, and are published by the same command', async () => {
    isSpent = true
    const spent = await uploadAlbum()
    expect(spent.code).toBe(5)
    expect(spent.stdout).toContain(
      'the budget is spent; or give --pay --rpc <url> to send the action yourself',
    )
    isSpent = false
    await expect(uploadAlbum()).resolves.toMatchObject({ code: 0 })
    expect(posts()).toBe(3)
    expect(kindsOf()).toEqual([2, 2, 2, 3])
  })

  test('without an album are tracks of their own', async () => {
    broken = 'b-two.flac'
    const { code, stdout } = await user('upload', ...files, '--i-hold-the-rights', '--json')
    expect(code).toBe(5)
    expect(JSON.parse(stdout)).not.toHaveProperty('album')
    expect(kindsOf()).toEqual([2, 2])
  })

  test.each([
    ['one title', ['--title', 'All'], '--title is for a single file'],
    ['one track to replace', ['--replace', `0x${'1'.repeat(40)}-5`], '--replace takes a single file'],
  ])('cannot have %s', async (_, options, message) => {
    const { code, stderr } = await uploadAlbum(...options)
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })
})

describe('hexachord unpublish', () => {
  test('says what it cannot do, and deletes when it may', async () => {
    const { stdout } = await user('upload', files[0] ?? '', '--i-hold-the-rights', '--json')
    const { track } = JSON.parse(stdout)
    const asked = await user('unpublish', track)
    expect(asked).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('It cannot reach copies'),
    })
    expect(asked.stderr).toContain('give --yes')
    await expect(user('unpublish', track, '--yes')).resolves.toMatchObject({
      code: 0,
      stdout: `${track} is unpublished\n`,
    })
    expect(kindsOf()).toEqual([2, 5])
    await expect(user('unpublish', track, '--yes')).resolves.toMatchObject({
      stdout: `${track} was unpublished before\n`,
    })
    // The same file is a new track now.
    const again = await user('upload', files[0] ?? '', '--i-hold-the-rights', '--json')
    expect(JSON.parse(again.stdout).track).not.toBe(track)
  })
})

describe('hexachord cancel', () => {
  test('gives up what was not published, and asks which where there are several', async () => {
    broken = 'b-two.flac'
    await uploadAlbum()
    const many = await user('cancel')
    expect([many.code, many.stderr]).toEqual([2, expect.stringContaining('say which one, or give --all')])
    await expect(user('cancel', 'c-one.flac')).resolves.toMatchObject({ code: 0 })
    const { uploads } = JSON.parse((await user('uploads', '--json')).stdout)
    expect(uploads).toMatchObject([{ file: 'a-three.flac', state: 'ready' }])
    await expect(user('cancel')).resolves.toMatchObject({ code: 0 })
    expect(network.creator.requests.filter((request) => request.startsWith('DELETE'))).toHaveLength(2)
    await expect(user('cancel')).resolves.toMatchObject({
      code: 2,
      stderr: 'hexachord: no upload is under way\n',
    })
  })

  test('works for a node that is away, which is told later', async () => {
    broken = 'b-two.flac'
    await uploadAlbum()
    await network.creator.close()
    const { code, stdout } = await user('cancel', '--all')
    expect(code).toBe(0)
    expect(stdout.match(/is away and is told by a later command/g)).toHaveLength(2)
    await expect(user('uploads')).resolves.toMatchObject({ stdout: 'everything is finished\n' })
  })
  test('does not take a track for deleted that its provider has taken down, nor does another upload of it', async () => {
    const upload = () => user('upload', files[0] ?? '', '--i-hold-the-rights', '--json')
    takenDown = JSON.parse((await upload()).stdout).track
    for (const ended of [await user('unpublish', takenDown ?? '', '--yes'), await upload()]) {
      expect(ended).toMatchObject({ code: 3, stderr: expect.stringContaining('it honours a notice') })
    }
    expect(kindsOf()).toEqual([2])
  })
})
