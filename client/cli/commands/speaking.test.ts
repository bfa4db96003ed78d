import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kinds } from '@hexachord/protocol/actions'
import { subjectOf } from '@hexachord/protocol/names'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { account, subject } from '@hexachord/sdk/fixtures'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, runHere, startNetwork } from '../fixtures/index.ts'

// Keys are encrypted as hard as a user's are.
jest.setTimeout(60_000)

const { address } = account
const friend = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
const stranger = subjectOf(address, 99n)

let network: Network
let user: Cli
beforeAll(async () => {
  network = await startNetwork(await exampleTrack())
  user = await newUser(network.env)
  await user.giveKey()
})
afterAll(async () => {
  await user.remove()
  await network.close()
})

const said = (...args: string[]) => runHere(user, ...args)

/** Runs a command that works. @returns its line of JSON, and the action that it has sent */
async function done(...args: string[]) {
  const { code, stdout, stderr } = await said(...args, '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('error') })
  const sent = network.actions.at(-1)
  const kind = Object.entries(kinds).find(([, { number }]) => number === sent?.kind)?.[0]
  return {
    told: JSON.parse(stdout),
    kind,
    subject: sent?.subject,
    content: JSON.parse(sent?.content ?? '{}'),
  }
}

describe('a user says in one command', () => {
  test('what a profile is to say; the rest of it stays', async () => {
    const links = ['--link', 'https://one.example', '--link', 'https://two.example']
    const set = await done('profile', '--handle', '@guido', '--bio', 'Monk', ...links)
    expect([set.kind, set.content]).toEqual([
      'user',
      { prev: null, handle: 'guido', bio: 'Monk', links: ['https://one.example', 'https://two.example'] },
    ])
    const { content } = await done('profile', '--name', 'Guido', '--clear', 'links')
    expect(content).toEqual({ prev: set.told.action, handle: 'guido', bio: 'Monk', name: 'Guido' })
    const shown = await said('profile')
    expect(shown.stdout).toContain('handle      @guido\nname        Guido\nbio         Monk\n')
  })

  test('what it makes of a comment, and whom it mutes', async () => {
    const { told } = await done('comment', subject, 'Ut')
    const id = told.comment
    expect((await said('comments', subject)).stdout).toContain(`${id}  ${address}: Ut`)
    expect(await done('react', id, 'fire')).toMatchObject({
      ...{ kind: 'react', content: { comment: id, reaction: 'fire' } },
    })
    expect((await done('react', id, 'none')).content).toMatchObject({ reaction: null })
    expect(await done('pin', id)).toMatchObject({ kind: 'pin', subject, content: { comment: id } })
    expect(await done('unpin', subject)).toMatchObject({ kind: 'pin', content: { comment: null } })
    expect((await done('reword', id, 'Re')).content).toMatchObject({ track: subject, text: 'Re' })
    expect(await done('unpublish', id, '--yes')).toMatchObject({ kind: 'delete', subject: id })
    expect(await done('mute', friend)).toMatchObject({
      ...{ kind: 'mute', content: { user: friend.toLowerCase(), on: true } },
    })
    expect((await done('unmute', friend)).content).toMatchObject({ on: false })
  })

  test('which programs are its own, and whose key may sign', async () => {
    const { told: made, kind } = await done('app', 'add', 'Player', '--url', 'https://player.example')
    expect(kind).toBe('app')
    expect((await done('app', 'edit', made.app, '--description', 'Plays')).content).toEqual({
      ...{ prev: expect.anything(), name: 'Player', url: 'https://player.example', description: 'Plays' },
    })
    expect((await said('app', 'list')).stdout).toBe(`${made.app}  Player  https://player.example\n`)
    const may = ['--may', 'save', '--may', 'follow', '--days', '30', '--app', made.app, '--yes']
    const { content } = await done('delegate', 'add', friend, ...may)
    expect(content).toMatchObject({ key: friend.toLowerCase(), scopes: ['save', 'follow'], app: made.app })
    expect((await said('delegate', 'list')).stdout).toContain(`: save, follow, held by ${made.app}`)
    expect((await done('delegate', 'remove', friend)).content).toMatchObject({ scopes: [] })
    expect(await done('app', 'remove', made.app)).toMatchObject({ kind: 'delete', subject: made.app })
    expect((await said('app', 'list')).stdout).toBe('there are none\n')
  })

  test('what a track of its own is, whose audio stays', async () => {
    const details = join(user.home, 'details.json')
    await writeFile(details, JSON.stringify({ mood: 'calm', credits: [{ name: 'Ada', role: 'mix' }] }))
    const options = ['--details', details, '--isrc', 'GB-A1B-23-45678', '--bpm', '124', '--key', 'F#m']
    const origin = ['--remix-of', `${stranger}=Mornings by Ada`, '--credit', 'words=Guido']
    const { kind, content } = await done('edit', subject, ...options, ...origin, '--title', 'Seven notes')
    const { manifest, title: _ } = network.tracks.get(subject) ?? {}
    expect([kind, content]).toEqual([
      'track',
      expect.objectContaining({
        ...{
          manifest,
          receipts: [],
          title: 'Seven notes',
          artist: 'Guido',
          mood: 'calm',
          isrc: 'GBA1B2345678',
        },
        ...{ tags: ['bpm:124', 'key:F#m'], credits: [{ name: 'Guido', role: 'words' }] },
        remixOf: [{ track: stranger, credit: 'Mornings by Ada' }],
      }),
    ])
    const again = await done('edit', subject, '--bpm', '90', '--tag', 'calm', '--clear', 'mood')
    expect(again.content).toMatchObject({ tags: ['key:F#m', 'calm', 'bpm:90'], isrc: 'GBA1B2345678' })
    expect(again.content).not.toHaveProperty('mood')
    await done('edit', subject, '--title', 'Six notes')
  })

  test('what a new track is', async () => {
    const file = join(user.home, 'song.flac')
    await writeFile(file, 'some audio')
    const rights = ['--artist', 'Guido', '--i-hold-the-rights']
    const { content } = await done(
      'upload',
      file,
      ...rights,
      '--mood',
      'calm',
      '--stem-of',
      `${subject}=drums`,
    )
    expect(content).toMatchObject({ mood: 'calm', stemOf: { track: subject, part: 'drums' } })
  })

  test('where in a playlist a track is', async () => {
    const { told } = await done('playlist', 'create', 'Mornings', subject, stranger, '--album')
    expect((await done('playlist', 'move', told.playlist, stranger, '1')).told.trackIds).toEqual([
      stranger,
      subject,
    ])
  })
})

test.each([
  [2, 'handle cannot be said and cleared', ['profile', '--handle', 'guido', '--clear', 'handle']],
  [2, "'none' is no picture's CID, and no track", ['profile', '--picture', 'none']],
  [2, 'must be 1 to 30 of a-z, 0-9 and _', ['profile', '--handle', 'Größe']],
  [2, 'Allowed choices are like', ['react', subject, 'shrug']],
  [3, 'no such track', ['pin', stranger]],
  [2, "'x' is no comment", ['pin', 'x']],
  [2, "'x' is no track id", ['unpin', 'x']],
  [2, 'give a track, or a thread', ['comments']],
  [2, "'x' is no comment", ['comments', '--thread', 'x']],
  [2, "'x' is no comment", ['reword', 'x', 'Ut']],
  [2, 'the comment action is malformed: text', ['comment', subject, ' ']],
  [3, 'nobody has this handle', ['mute', '@nobody']],
  [2, 'wrong EIP-55 checksum', ['mute', friend.replace('a', 'A')]],
  [2, 'url must be an https address', ['app', 'add', 'Player', '--url', 'http://player.example']],
  [2, 'give --name, --description', ['app', 'edit', stranger]],
  [3, 'no such track', ['app', 'remove', stranger]],
  [2, "required option '--may <kinds...>' not specified", ['delegate', 'add', friend]],
  [2, 'Allowed choices are track', ['delegate', 'add', friend, '--may', 'rotate']],
  [2, "--days: '0' is no number", ['delegate', 'add', friend, '--may', 'save', '--days', '0']],
  [2, 'nothing is to be changed', ['edit', subject]],
  [2, 'It must be two parts', ['edit', subject, '--credit', 'Ada']],
  [2, 'isrc: must be an ISRC', ['edit', subject, '--isrc', 'XX']],
  [2, 'cannot be read as JSON', ['edit', subject, '--details', 'none.json']],
  [2, "'x' is no place", ['playlist', 'move', subject, subject, 'x']],
  [2, '--to or --same', ['key', 'rotate', '--same', '--to', friend]],
  [2, 'is controlled by', ['key', 'author', friend]],
])('what is wrong is told with %i: %s', async (code, message, args) => {
  const before = network.actions.length
  const told = await said(...args)
  expect(told).toEqual({ code, stdout: '', stderr: expect.stringMatching(/^hexachord: [^\n]*\n$/) })
  expect(told.stderr).toContain(message)
  expect(network.actions).toHaveLength(before)
})

test('details that are none are told with 2, and which', async () => {
  const file = join(user.home, 'wrong.json')
  await writeFile(file, JSON.stringify({ moood: 'calm' }))
  const told = await said('edit', subject, '--details', file)
  expect(told).toMatchObject({ code: 2, stderr: expect.stringContaining("'moood' is none of title, artist") })
})

describe('whose key was stolen', () => {
  test('makes a new one that speaks in the same name, and keeps the old one for what is its own', async () => {
    const owner = await newUser(network.env)
    try {
      await owner.giveKey()
      const home = join(owner.home, 'hexachord')
      const asked = await runHere(owner, 'key', 'rotate')
      expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('give --yes') })
      const rotated = await runHere(owner, 'key', 'rotate', '--recovery', friend, '--yes', '--json')
      expect(rotated).toMatchObject({ code: 0, stderr: expect.stringContaining('Write the 12 words') })
      const { controller, before, author } = JSON.parse(rotated.stdout)
      expect(author).toBe(address)
      expect(JSON.parse(network.actions.at(-1)?.content ?? '')).toMatchObject({
        ...{ controller, recovery: friend.toLowerCase() },
      })
      const kept = JSON.parse(await readFile(join(before, 'key.json'), 'utf8'))
      expect(`0x${kept.address}`.toLowerCase()).toBe(address)
      const shown = await runHere(owner, 'key', 'show')
      expect(shown.stdout).toBe(`${controller}\nsigns for ${address}\n`)
      expect((await runHere(owner, 'save', subject)).code).toBe(0)
      expect(network.actions.at(-1)?.author).toBe(address)
      // The words are those of the new key.
      expect((await runHere(owner, 'key', 'backup')).stdout.split(' ')).toHaveLength(12)
      const exported = join(owner.home, 'exported.json')
      await runHere(owner, 'key', 'export', exported)
      expect(JSON.parse(await readFile(exported, 'utf8'))).toMatchObject({ 'x-hexachord-author': address })

      const old = await newUser({ ...network.env, HEXACHORD_HOME: before })
      const late = await runHere(old, 'key', 'rotate', '--yes')
      expect(late).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`is controlled by ${controller}`),
      })
      await old.remove()
      expect(home).not.toBe(before)
    } finally {
      await owner.remove()
    }
  })
})
