import { kinds } from '@hexachord/protocol/actions'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { account, subject } from '@hexachord/sdk/fixtures'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { type Cli, type Network, newUser, startNetwork } from '../fixtures/index.ts'

// Each of many processes takes half a second of a core to start.
jest.setTimeout(60_000)

const { address } = account
const friend = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'

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

/** Runs a command that works. @returns its line of JSON, and the action that it has sent */
async function done(...args: string[]) {
  const { code, stdout, stderr } = await user(...args, '--json')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const sent = network.actions.at(-1)
  const kind = Object.entries(kinds).find(([, { number }]) => number === sent?.kind)?.[0]
  return { said: JSON.parse(stdout), kind, content: JSON.parse(sent?.content ?? '') }
}

describe('a listener', () => {
  test.each([
    [['follow', friend], 'follow', { user: friend.toLowerCase(), on: true }],
    [['unfollow', '@guido'], 'follow', { user: address, on: false }],
    [['save', `https://discovery.example/tracks/${subject}`], 'save', { target: subject, on: true }],
    [['unrepost', subject], 'repost', { target: subject, on: false }],
  ])('does what %o says', async (args, kind, expected) => {
    const { said, ...sent } = await done(...args)
    expect(sent).toEqual({ kind, content: { ...expected, atMs: expect.any(Number) } })
    expect(said).toEqual({ ...expected, action: expect.stringMatching(/^0x/) })
  })

  test('comments on a moment of a track, and answers', async () => {
    const { said, kind, content } = await done('comment', 'Six notes', 'Ut!', '--at', '1:02.5')
    expect([kind, said.track]).toEqual(['comment', subject])
    expect(content).toEqual({ prev: null, track: subject, text: 'Ut!', positionMs: 62_500 })
    const answer = await done('comment', subject, 'Re!', '--reply-to', said.comment)
    expect(answer.content).toMatchObject({ text: 'Re!', replyTo: said.comment })
  })

  test('makes a playlist and changes it', async () => {
    const made = await done('playlist', 'create', 'Mornings', subject, '--description', 'Early')
    const id = made.said.playlist
    expect(made.said).toEqual({ playlist: id, title: 'Mornings', trackIds: [subject] })
    expect(made.content).toMatchObject({ description: 'Early' })
    expect((await done('playlist', 'remove', id, subject)).said.trackIds).toEqual([])
    const { content } = await done('playlist', 'edit', id, '--title', 'Evenings', '--listed')
    expect(content).toMatchObject({ title: 'Evenings', unlisted: false })
  })

  test.each([
    [3, 'nobody has this handle', ['follow', '@nobody']],
    [2, 'has a wrong EIP-55 checksum', ['follow', friend.replace('a', 'A')]],
    [2, "--at: 'soon' is no moment", ['comment', subject, 'Ut', '--at', 'soon']],
    [2, 'give --title, --description', ['playlist', 'edit', subject]],
  ])('that is wrong is told so with %i: %s', async (code, message, args) => {
    const before = network.actions.length
    const told = await user(...args)
    expect(told).toEqual({ code, stdout: '', stderr: expect.stringMatching(/^hexachord: [^\n]*\n$/) })
    expect(told.stderr).toContain(message)
    expect(network.actions).toHaveLength(before)
  })
})
