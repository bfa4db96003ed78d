import { kinds, openAction, type SignedAction, signedActionSchema } from '@hexachord/protocol/actions'
import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { Connection } from '../connect/index.ts'
import {
  account,
  answerJson,
  answerProblem,
  connectionTo,
  domain,
  type HttpServer,
  serve,
  subject,
} from '../fixtures/index.ts'
import { inNameOf, keyFromPrivateKey } from '../keys/index.ts'
import {
  appsOf,
  changeApp,
  changeProfile,
  comment,
  commentsOn,
  controllerOf,
  delegate,
  delegationsOf,
  deleteApp,
  deleteComment,
  feedOf,
  follow,
  followedBy,
  followersOf,
  mute,
  pinComment,
  publishApp,
  react,
  repliesTo,
  repost,
  repostsOf,
  revoke,
  rewordComment,
  rotate,
  save,
  savesOf,
} from './index.ts'

const friend: Address = `0x${'b2'.repeat(20)}`
const player = keyFromPrivateKey(`0x${'5'.padStart(64, '0')}`)
const me = userSubject(account.address)
const nowMs = 1_800_000_000_000
const existing = {
  ...{ id: subject, author: account.address, authorHandle: null, track: subjectOf(friend, 1n), root: null },
  ...{
    replyTo: subjectOf(friend, 2n),
    text: 'Ut',
    positionMs: 5,
    deleted: false,
    pinned: false,
    replyCount: 0,
  },
  ...{ reactions: {}, createdAtMs: 1, updatedAtMs: 1 },
  last: { block: 1, logIndex: 0, digest: `0x${'22'.repeat(32)}` },
}

const profile = {
  ...{
    id: account.address,
    handle: null,
    name: 'Guido',
    bio: 'Monk',
    links: [],
    picture: null,
    sealingKey: null,
  },
  ...{
    controller: account.address,
    trackCount: 0,
    followerCount: 0,
    followingCount: 0,
    createdAtMs: 1,
    updatedAtMs: 1,
  },
  last: { block: 1, logIndex: 0, digest: `0x${'33'.repeat(32)}` },
}

const app = {
  ...{ id: subjectOf(account.address, 8n), author: account.address, name: 'Player', description: 'Plays' },
  ...{ url: null, picture: null, createdAtMs: 1, updatedAtMs: 1 },
  last: { block: 1, logIndex: 0, digest: `0x${'44'.repeat(32)}` },
}

/** A network that applies whatever it is given. */
let network: HttpServer
let connection: Connection
let sent: SignedAction[] = []

beforeAll(async () => {
  network = await serve(async (request, response) => {
    const path = request.url ?? ''
    if (request.method === 'POST') {
      let text = ''
      for await (const chunk of request) text += chunk
      const signed = signedActionSchema.parse(JSON.parse(text))
      sent.push(signed)
      return answerJson(response, { hash: openAction(signed, domain).hash }, 202)
    }
    if (path === `/v1/comments/${subject}`) return answerJson(response, existing)
    if (path === `/v1/users/${account.address}`) return answerJson(response, profile)
    if (path === `/v1/apps/${app.id}`) return answerJson(response, app)
    if (path.startsWith('/v1/actions/')) {
      return answerJson(response, { hash: path.split('/').at(-1), status: 'applied', block: 2 })
    }
    if (/\/(feed|followers|following|saves|reposts|apps|delegations|comments|replies)/.test(path)) {
      return answerJson(response, { items: [], next: null })
    }
    return answerProblem(response, 404, 'nothing there')
  })
  const { origin } = network
  connection = connectionTo({ discovery: origin, creators: [origin], now: () => nowMs })
})
beforeEach(() => {
  sent = []
})
afterAll(() => network.close())

/** What was sent last: kind, subject and content. */
function last() {
  const signed = sent.at(-1)
  if (signed === undefined) throw new Error('nothing was sent')
  const kind = Object.entries(kinds).find(([, { number }]) => number === signed.kind)?.[0]
  return { kind, subject: signed.subject, content: JSON.parse(signed.content) as unknown }
}

describe('what a user does', () => {
  test.each([
    ['follow', () => follow(connection, account, friend), { user: friend, on: true }],
    ['save', () => save(connection, account, subject), { target: subject, on: true }],
    ['repost', () => repost(connection, account, subject, false), { target: subject, on: false }],
    ['mute', () => mute(connection, account, friend), { user: friend, on: true }],
    ['react', () => react(connection, account, subject, 'fire'), { comment: subject, reaction: 'fire' }],
    [
      'delegate',
      () => delegate(connection, account, { key: player.address, scopes: ['save'], expiresAtMs: nowMs + 5 }),
      { key: player.address, scopes: ['save'], expiresAtMs: nowMs + 5 },
    ],
    [
      'delegate',
      () => revoke(connection, account, player.address),
      { key: player.address, scopes: [], expiresAtMs: nowMs },
    ],
  ] as const)('%s: is one action under its own name, by its own clock', async (kind, act, content) => {
    await expect(act()).resolves.toMatchObject({ status: { status: 'applied' } })
    expect(last()).toEqual({ kind, subject: me, content: { ...content, atMs: nowMs } })
  })

  test('pins a comment under the name of the track', async () => {
    await pinComment(connection, account, subject, existing.id)
    expect(last()).toMatchObject({ kind: 'pin', subject, content: { comment: existing.id } })
  })

  test('comments under a new name each time, rewords what stands, and deletes it', async () => {
    const { track, replyTo } = existing
    const one = await comment(connection, account, { track, text: 'Re' })
    const two = await comment(connection, account, { track, text: 'Mi', replyTo, positionMs: 9 })
    expect(one).not.toBe(two)
    expect(last()).toEqual({
      kind: 'comment',
      subject: two,
      content: { prev: null, track, text: 'Mi', replyTo, positionMs: 9 },
    })
    await rewordComment(connection, account, subject, 'Fa')
    const prev = existing.last.digest
    expect(last()).toEqual({
      kind: 'comment',
      subject,
      content: { prev, track, text: 'Fa', replyTo, positionMs: 5 },
    })
    await deleteComment(connection, account, subject)
    expect(last()).toEqual({ kind: 'delete', subject, content: { prev } })
  })

  test('is done by a delegated key in the author’s name', async () => {
    await save(connection, player, subject, true, { author: account.address })
    expect(last().subject).toBe(me)
    const [signed] = sent
    expect(signed && openAction(signed, domain)).toMatchObject({
      author: account.address,
      signer: player.address,
    })
  })

  test('keeps what a profile said and is not changed', async () => {
    await changeProfile(connection, account, {
      handle: 'guido',
      name: null,
      sealingKey: `0x${'09'.repeat(32)}`,
    })
    expect(last()).toEqual({
      kind: 'user',
      subject: me,
      content: {
        prev: profile.last.digest,
        handle: 'guido',
        bio: 'Monk',
        sealingKey: `0x${'09'.repeat(32)}`,
      },
    })
    await changeProfile(connection, player, { name: 'New' })
    expect(last()).toMatchObject({ content: { prev: null, name: 'New' } })
  })

  test('makes an app known under a name of its own', async () => {
    const app = await publishApp(connection, account, { name: 'Player', url: 'https://player.example' })
    expect(last()).toEqual({
      kind: 'app',
      subject: app,
      content: { prev: null, name: 'Player', url: 'https://player.example' },
    })
  })

  test('says something else of an app, and takes it back', async () => {
    await changeApp(connection, account, app.id, { url: 'https://player.example', description: null })
    const prev = app.last.digest
    expect(last()).toEqual({
      ...{ kind: 'app', subject: app.id },
      content: { prev, name: 'Player', url: 'https://player.example' },
    })
    await deleteApp(connection, account, app.id)
    expect(last()).toEqual({ kind: 'delete', subject: app.id, content: { prev } })
  })

  test('rotates keys upon what was said last of the author, and of one who has said nothing', async () => {
    const { digest } = profile.last
    await rotate(connection, account, { controller: player.address, recovery: friend })
    expect(last()).toEqual({
      ...{ kind: 'rotate', subject: me },
      content: { prev: digest, controller: player.address, recovery: friend },
    })
    // As a recovery key does it, which names the author.
    await rotate(connection, player, { controller: friend }, { author: account.address })
    expect(last()).toEqual({ kind: 'rotate', subject: me, content: { prev: digest, controller: friend } })
    await rotate(connection, player, { controller: player.address, recovery: null })
    expect(last()).toMatchObject({ content: { prev: null, controller: player.address, recovery: null } })
    await expect(controllerOf(connection, account.address)).resolves.toBe(profile.controller)
    await expect(controllerOf(connection, friend)).resolves.toBe(friend)
  })

  test('is done in an author’s name by the key that the author has rotated to', async () => {
    await changeProfile(connection, inNameOf(player, account.address), { name: 'New' })
    expect(last()).toMatchObject({ subject: me, content: { prev: profile.last.digest, bio: 'Monk' } })
    const [signed] = sent
    expect(signed && openAction(signed, domain)).toMatchObject({
      ...{ author: account.address, signer: player.address },
    })
  })

  test.each([
    ['feed', feedOf, `users/${account.address}/feed`],
    ['followers', followersOf, `users/${account.address}/followers`],
    ['following', followedBy, `users/${account.address}/following`],
    ['saves', savesOf, `users/${account.address}/saves`],
    ['reposts', repostsOf, `users/${account.address}/reposts`],
    ['apps', appsOf, `users/${account.address}/apps`],
    ['delegations', delegationsOf, `users/${account.address}/delegations`],
  ] as const)('is read again: %s', async (_, list, path) => {
    const page = await list(connection, account.address, { cursor: 'a/b', limit: 5 })
    expect(page).toEqual({ items: [], next: null })
    expect(network.requests.at(-1)).toBe(`GET /v1/${path}?cursor=a%2Fb&limit=5`)
  })

  test('is read again: comments and answers', async () => {
    await commentsOn(connection, subject)
    await repliesTo(connection, subject)
    expect(network.requests.slice(-2)).toEqual([
      `GET /v1/tracks/${subject}/comments`,
      `GET /v1/comments/${subject}/replies`,
    ])
  })

  test('is not sent when nobody would take it', async () => {
    await expect(comment(connection, account, { track: subject, text: ' ' })).rejects.toThrow(
      /must not be empty/,
    )
    expect(sent).toEqual([])
  })
})
