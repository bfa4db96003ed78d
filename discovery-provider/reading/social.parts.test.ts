import type { KindName } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { type Address, type Subject, subjectOf, userSubject } from '@hexachord/protocol/names'
import {
  appSchema,
  commentSchema,
  delegationSchema,
  feedEntrySchema,
  followSchema,
  listOf,
  markSchema,
  playlistSchema,
  pricedTrackSchema,
  trackSchema,
  userSchema,
} from '@hexachord/protocol/rest'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import {
  album,
  bjork,
  guido,
  hidden,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'

// A database is made and filled on a machine that does other things as well.
jest.setTimeout(60_000)

const hilda: Address = `0x${'d4'.repeat(20)}`
const player: Address = `0x${'f1'.repeat(20)}`
const startMs = firstSecond * 1000
const at = (author: Address, number: number) => subjectOf(author, BigInt(number))
const [first, second, answer] = [at(hilda, 1), at(guido, 31), at(bjork, 31)]
const remix = at(bjork, 40)
const stem = at(bjork, 41)
const later = at(bjork, 42)
const laterStem = at(bjork, 44)
const diary = at(hilda, 50)
const mix = at(hilda, 51)
const sealed = { from: `0x${'05'.repeat(32)}`, keys: ['A'.repeat(64)], box: 'c2VhbGVk' }
/** The second one has left. */
const by = operators.filter((_, index) => index !== 1)
const releaseAtMs = 4_000_000_000_000

let served: ServedCatalogue
let clock = startMs

/** Puts actions of their own subject's authors, which must be applied. */
async function put(...actions: [kind: KindName, subject: Subject, content: Record<string, Json>][]) {
  const { catalogue } = served
  await catalogue.put(
    ...actions.map(([kind, subject, content]) =>
      actedLog({ author: subject.slice(0, 42) as Address, kind, subject, content }),
    ),
  )
  const verdicts = await catalogue.lastVerdicts(actions.length)
  expect(verdicts.filter(({ verdict }) => verdict !== 'applied')).toEqual([])
}

/** Content of an action that sets a register: later than all before. */
function now(content: Record<string, Json>): Record<string, Json> {
  clock += 1
  return { ...content, atMs: clock }
}

beforeAll(async () => {
  served = await serveCatalogue()
  const her = userSubject(hilda)
  const made = async (subject: Subject, fields: Record<string, Json>) =>
    (await trackContent(subject, { prev: null, ...fields }, { by })) as Record<string, Json>
  await put(
    ['follow', her, now({ user: guido, on: true })],
    ['follow', her, now({ user: bjork, on: true })],
    ['follow', userSubject(guido), now({ user: bjork, on: true })],
    ['save', her, now({ target: joga, on: true })],
    ['save', her, now({ target: album, on: true })],
    ['save', her, now({ target: hidden, on: true })],
    ['repost', userSubject(guido), now({ target: joga, on: true })],
    ['comment', first, { prev: null, track: joga, text: 'Strings!', positionMs: 61_000 }],
    ['comment', second, { prev: null, track: joga, text: 'And beats' }],
    ['comment', answer, { prev: null, track: joga, text: 'Thank you', replyTo: first }],
    ['react', her, now({ comment: first, reaction: 'fire' })],
    ['react', userSubject(guido), now({ comment: first, reaction: 'fire' })],
    [
      'track',
      remix,
      await made(remix, { title: 'Jóga, again', remixOf: [{ track: joga, credit: 'Jóga by Björk' }] }),
    ],
    [
      'track',
      stem,
      await made(stem, {
        ...{ title: 'Strings', unlisted: true, stemOf: { track: joga, part: 'strings' } },
        credits: [{ name: 'Hilda', role: 'viola', user: hilda }],
      }),
    ],
    ['track', later, await made(later, { title: 'Bachelorette', releaseAtMs })],
    [
      'track',
      laterStem,
      await made(laterStem, { title: 'Drums', releaseAtMs, stemOf: { track: joga, part: 'drums' } }),
    ],
    ['save', her, now({ target: later, on: true })],
    ['repost', userSubject(guido), now({ target: later, on: true })],
    ['repost', userSubject(guido), now({ target: hidden, on: true })],
    ['playlist', mix, { prev: null, title: 'Mix', add: [later, joga, hidden].map((track) => ({ track })) }],
    ['playlist', diary, { prev: null, sealed }],
    ['app', at(hilda, 60), { prev: null, name: 'Player' }],
    [
      'delegate',
      userSubject(guido),
      now({ key: player, scopes: ['save'], expiresAtMs: startMs + 9_000_000, app: at(hilda, 60) }),
    ],
  )
})
afterAll(() => served.close())

describe('followers', () => {
  test('are listed at both ends, newest first, in pages, and counted', async () => {
    const follows = listOf(followSchema)
    const followers = await served.read(`/v1/users/${bjork}/followers`, follows)
    expect(followers.items.map(({ user }) => user.id)).toEqual([guido, hilda])
    const page = await served.read(`/v1/users/${hilda}/following?limit=1`, follows)
    expect(page.items.map(({ user }) => user.handle)).toEqual(['bjork'])
    const next = await served.read(`/v1/users/${hilda}/following?limit=1&cursor=${page.next}`, follows)
    expect([next.items.map(({ user }) => user.id), next.next]).toEqual([[guido], null])
    expect(await served.read(`/v1/users/${bjork}`, userSchema)).toMatchObject({
      followerCount: 2,
      followingCount: 0,
    })
    expect(await served.read(`/v1/users/${hilda}`, userSchema)).toMatchObject({
      handle: null,
      followingCount: 2,
    })
    expect(await served.problem(`/v1/users/${bjork}/followers?cursor=x`)).toMatchObject({ status: 400 })
  })
})

describe('saves and reposts', () => {
  test('are tracks and playlists, newest first, and counted with them', async () => {
    const { items } = await served.read(`/v1/users/${hilda}/saves`, listOf(markSchema))
    expect(items.map(({ track, playlist }) => (track ?? playlist)?.id)).toEqual([hidden, album, joga])
    const { items: reposts } = await served.read(`/v1/users/${guido}/reposts`, listOf(markSchema))
    expect(reposts.map(({ track }) => track?.title)).toEqual(['Jóga'])
    const track = await served.read(`/v1/tracks/${joga}`, pricedTrackSchema)
    expect(track).toMatchObject({ saveCount: 1, repostCount: 1, commentCount: 3 })
    expect(await served.read(`/v1/playlists/${album}`, playlistSchema)).toMatchObject({ saveCount: 1 })
  })
})

describe('a feed', () => {
  test('has what those who are followed have published and reposted, page by page, nothing that is not out', async () => {
    const feed = listOf(feedEntrySchema)
    const whole = await served.read(`/v1/users/${hilda}/feed`, feed)
    const shown = whole.items.map(({ by, event, track, playlist }) => [by, event, (track ?? playlist)?.id])
    expect(shown).toEqual([
      [bjork, 'published', remix],
      [guido, 'reposted', joga],
      [bjork, 'published', album],
      [bjork, 'published', joga],
      [guido, 'published', hymn],
    ])
    const pages = []
    let cursor = ''
    do {
      const page = await served.read(`/v1/users/${hilda}/feed?limit=2${cursor}`, feed)
      pages.push(...page.items)
      cursor = page.next === null ? '' : `&cursor=${page.next}`
    } while (cursor !== '')
    expect(pages).toEqual(whole.items)
    expect((await served.read(`/v1/users/${bjork}/feed`, feed)).items).toEqual([])
  })
})

describe('a feed whose tracks are kept', () => {
  const saves = async () => {
    const { items } = await served.read(`/v1/users/${hilda}/feed`, listOf(feedEntrySchema))
    return items.find(({ track }) => track?.id === hymn)?.track?.saveCount
  }

  test('tells of them what the last block says, also after one was taken back', async () => {
    const { catalogue } = served
    expect([await saves(), await saves()]).toEqual([0, 0])
    await put(['save', userSubject(bjork), now({ target: hymn, on: true })])
    expect([await saves(), await saves()]).toEqual([1, 1])
    await catalogue.index.takeBack(catalogue.chain.head - 1)
    expect(await saves()).toBe(0)
    await catalogue.catchUp()
    expect(await saves()).toBe(1)
  })
})

describe('a feed of authors whose entries are kept', () => {
  const ids = async () => {
    const { items } = await served.read(`/v1/users/${guido}/feed`, listOf(feedEntrySchema))
    return items.map(({ track, playlist }) => (track ?? playlist)?.id)
  }
  const fresh = at(bjork, 43)
  const publish = async (fields: Parameters<typeof trackContent>[1]) =>
    put(['track', fresh, (await trackContent(fresh, fields, { by })) as Record<string, Json>])

  test('has what they do next, what they take from it, and what a block was taken back with', async () => {
    const { catalogue } = served
    const before = await ids()
    expect(before).toContain(joga)
    await publish({ prev: null, title: 'Human Behaviour' })
    expect(await ids()).toEqual([fresh, ...before])
    await publish({ prev: await catalogue.digestOf(fresh), title: 'Human Behaviour', unlisted: true })
    expect(await ids()).toEqual(before)
    await catalogue.index.takeBack(catalogue.chain.head - 1)
    expect(await ids()).toEqual([fresh, ...before])
    await catalogue.index.takeBack(catalogue.chain.head - 2)
    expect(await ids()).toEqual(before)
    catalogue.chain.drop(2)
    await publish({ prev: null, title: 'Human Behaviour, elsewhere' })
    expect(await ids()).toEqual([fresh, ...before])
    await put(['delete', fresh, { prev: await catalogue.digestOf(fresh) }])
    expect(await ids()).toEqual(before)
  })

  test('is that of who is followed now', async () => {
    const before = await ids()
    await put(['follow', userSubject(guido), now({ user: bjork, on: false })])
    expect(await ids()).toEqual([])
    await put(['follow', userSubject(guido), now({ user: bjork, on: true })])
    expect(await ids()).toEqual(before)
  })

  test('is the same when its tables were made anew', async () => {
    const before = await ids()
    await served.catalogue.remake()
    expect(await ids()).toEqual(before)
  })
})

describe('comments', () => {
  const comments = listOf(commentSchema)
  const listed = async () =>
    (await served.read(`/v1/tracks/${joga}/comments`, comments)).items.map(({ id }) => id)

  test('stand in threads, with answers and reactions counted', async () => {
    expect(await listed()).toEqual([second, first])
    const comment = await served.read(`/v1/comments/${first}`, commentSchema)
    expect(comment).toMatchObject({
      text: 'Strings!',
      positionMs: 61_000,
      replyCount: 1,
      reactions: { fire: 2 },
    })
    const { items } = await served.read(`/v1/comments/${first}/replies`, comments)
    expect(items).toMatchObject([{ id: answer, root: first, authorHandle: 'bjork' }])
    expect(await served.problem(`/v1/comments/${joga}`)).toMatchObject({ status: 404 })
  })

  test('are led by the one that is pinned, and lack those of whom the author has muted', async () => {
    await put(['pin', joga, now({ comment: first })])
    const page = await served.read(`/v1/tracks/${joga}/comments?limit=1`, comments)
    expect(page.items.map(({ id, pinned }) => [id, pinned])).toEqual([
      [first, true],
      [second, false],
    ])
    await put(['mute', userSubject(bjork), now({ user: guido, on: true })])
    expect(await listed()).toEqual([first])
    expect(await served.read(`/v1/comments/${second}`, commentSchema)).toMatchObject({
      ...{ id: second, author: guido, muted: true, text: null, positionMs: null },
      last: { digest: await served.catalogue.digestOf(second) },
    })
    await put(['mute', userSubject(bjork), now({ user: guido, on: false })])
    expect(await listed()).toEqual([first, second])
    const shown = await served.read(`/v1/comments/${second}`, commentSchema)
    expect(shown).toMatchObject({ muted: false, text: expect.any(String) })
  })

  test('that are deleted stay without text for as long as they have answers', async () => {
    const prev = (subject: Subject) => served.catalogue.digestOf(subject)
    await put(['delete', first, { prev: await prev(first) }])
    const gone = await served.read(`/v1/comments/${first}`, commentSchema)
    expect(gone).toMatchObject({ deleted: true, text: null, positionMs: null })
    expect(await listed()).toEqual([first, second])
    expect(await served.read(`/v1/tracks/${joga}`, pricedTrackSchema)).toMatchObject({ commentCount: 2 })
    await put(['delete', answer, { prev: await prev(answer) }])
    expect(await listed()).toEqual([second])
  })
})

describe('a track', () => {
  test('names what it is made of and who made it, and leads to its remixes and stems', async () => {
    expect(await served.read(`/v1/tracks/${remix}`, pricedTrackSchema)).toMatchObject({
      remixOf: [{ track: joga, credit: 'Jóga by Björk' }],
    })
    const { items: remixes } = await served.read(`/v1/tracks/${joga}/remixes`, listOf(trackSchema))
    expect(remixes.map(({ id }) => id)).toEqual([remix])
    const { items: stems } = await served.read(`/v1/tracks/${joga}/stems`, listOf(trackSchema))
    expect(stems).toMatchObject([
      {
        id: stem,
        stemOf: { track: joga, part: 'strings' },
        credits: [{ name: 'Hilda', role: 'viola', user: hilda }],
      },
    ])
  })

  test('that is unlisted is in no list of somebody else, but in what a listener has saved', async () => {
    const ids = async (path: string) =>
      (await served.read(path, listOf(markSchema))).items.map(
        ({ track, playlist }) => (track ?? playlist)?.id,
      )
    expect(await ids(`/v1/users/${hilda}/saves`)).toContain(hidden)
    expect(await ids(`/v1/users/${guido}/reposts`)).toEqual([joga])
    expect((await served.read(`/v1/playlists/${mix}`, playlistSchema)).tracks.map(({ id }) => id)).toEqual([
      joga,
    ])
    const ofItsOwn = at(guido, 51)
    await put([
      'playlist',
      ofItsOwn,
      { prev: null, title: 'For you', unlisted: true, add: [{ track: hidden }] },
    ])
    const { tracks } = await served.read(`/v1/playlists/${ofItsOwn}`, playlistSchema)
    expect(tracks.map(({ id }) => id)).toEqual([hidden])
  })

  test('that is scheduled is there by its id, but neither listed, found nor played before its time', async () => {
    expect(await served.read(`/v1/tracks/${later}`, pricedTrackSchema)).toMatchObject({ releaseAtMs })
    const listed = async () =>
      (await served.read(`/v1/tracks?author=${bjork}`, listOf(trackSchema))).items.map(({ id }) => id)
    const found = async () =>
      ((await (await served.get('/v1/search?q=bachelorette')).json()) as { tracks: [] }).tracks
    const others = [
      `playlists/${mix}`,
      `users/${hilda}/saves`,
      `users/${guido}/reposts`,
      `users/${hilda}/feed`,
    ]
    const named = async () =>
      (await Promise.all(others.map(async (path) => (await served.get(`/v1/${path}`)).text()))).map((text) =>
        text.includes('Bachelorette'),
      )
    const stems = async () =>
      (await served.read(`/v1/tracks/${joga}/stems`, listOf(trackSchema))).items.map(({ id }) => id)
    expect(await listed()).toEqual([remix, joga])
    expect(await found()).toEqual([])
    expect(await named()).toEqual([false, false, false, false])
    expect(await stems()).toEqual([stem])
    expect(await served.problem(`/v1/tracks/${later}/stream`)).toMatchObject({ status: 403, releaseAtMs })
    const earlier = { prev: await served.catalogue.digestOf(later), releaseAtMs: Date.now() - 1000 }
    const content = (await trackContent(later, earlier, { by })) as Record<string, Json>
    await put(['track', later, { ...content, title: 'Bachelorette', receipts: [] }])
    const ofDrums = { prev: await served.catalogue.digestOf(laterStem), releaseAtMs: earlier.releaseAtMs }
    const drums = (await trackContent(laterStem, ofDrums, { by })) as Record<string, Json>
    await put([
      'track',
      laterStem,
      { ...drums, title: 'Drums', unlisted: true, stemOf: { track: joga, part: 'drums' }, receipts: [] },
    ])
    expect(await named()).toEqual([true, true, true, true])
    expect(await stems()).toEqual([stem, laterStem])
    expect(await listed()).toEqual([later, remix, joga])
    expect(await found()).toHaveLength(1)
    expect((await served.get(`/v1/tracks/${later}/stream`)).status).toBe(302)
  })
})

describe('a private playlist', () => {
  test('is there by its id, sealed, and in no list', async () => {
    const playlist = await served.read(`/v1/playlists/${diary}`, playlistSchema)
    expect(playlist).toMatchObject({ title: '', unlisted: true, sealed, trackIds: [] })
  })
})

describe('apps and delegated keys', () => {
  test('are told to those who let them in', async () => {
    expect(await served.read(`/v1/apps/${at(hilda, 60)}`, appSchema)).toMatchObject({
      name: 'Player',
      author: hilda,
    })
    const { items } = await served.read(`/v1/users/${hilda}/apps`, listOf(appSchema))
    expect(items.map(({ id }) => id)).toEqual([at(hilda, 60)])
    const delegations = await served.read(`/v1/users/${guido}/delegations`, listOf(delegationSchema))
    // Its time on the chain of this test was years ago.
    expect(delegations.items).toMatchObject([
      { key: player, scopes: ['save'], app: at(hilda, 60), appName: 'Player', inForce: false },
    ])
    expect(await served.problem(`/v1/apps/${joga}`)).toMatchObject({ status: 404 })
  })

  test('vanish when they are revoked', async () => {
    await put(['delegate', userSubject(guido), now({ key: player, scopes: [], expiresAtMs: startMs })])
    const delegations = await served.read(`/v1/users/${guido}/delegations`, listOf(delegationSchema))
    expect(delegations.items).toEqual([])
  })
})
