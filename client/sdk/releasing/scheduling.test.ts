import type { IncomingMessage, ServerResponse } from 'node:http'
import { openAction } from '@hexachord/protocol/actions'
import type { Hash } from '@hexachord/protocol/names'
import { type HeldRelease, holdRequestSchema, type Track } from '@hexachord/protocol/rest'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  account,
  answerJson,
  answerProblem,
  type CreatorNode,
  type Creators,
  connectionTo,
  createCreators,
  domain,
  type HttpServer,
  mapMemory,
  readBody,
  serve,
  sourceFile,
  trackOf,
} from '../fixtures/index.ts'
import { memoryKey, type SavedUpload, savedUploadSchema } from '../uploading/index.ts'
import { listReleases, type ReleasedFile, releaseTracks, withdrawRelease } from './index.ts'

const { track: loaded } = await exampleTrack()
const facts = {
  manifest: loaded.cid,
  storageRoot: `0x${'11'.repeat(32)}`,
  leafCount: 1,
  byteLength: loaded.byteLength,
  durationMs: loaded.manifest.durationMs,
} as const
const day = 86_400_000

let creators: Creators
let node: CreatorNode
let other: CreatorNode
let discovery: HttpServer
let memory: ReturnType<typeof mapMemory>
let now: number
let published: Track | undefined
/** By node. */
let held: Map<string, HeldRelease[]>
let deadlines: number[]
/** How often a release is refused, as one with a receipt of somebody who has left. */
let refusals: number

beforeEach(async () => {
  ;[now, published, held, deadlines, refusals] = [Date.now(), undefined, new Map(), [], 0]
  memory = mapMemory()
  creators = createCreators()
  const options = {
    intercept: (request: IncomingMessage, response: ServerResponse) => {
      if (!request.url?.startsWith('/releases')) return false
      void holding(request, response, `http://${request.headers.host}`)
      return true
    },
    onReceived: (id: string, self: CreatorNode) => self.change(id, { state: 'ready', track: facts }),
  }
  ;[node, other] = [await creators.start(options), await creators.start(options)]
  discovery = await serve((request, response) => {
    const hash = /^\/v1\/actions\/(.*)/.exec(request.url ?? '')?.[1]
    if (hash) return answerJson(response, { hash, status: 'applied' })
    return published ? answerJson(response, published) : answerProblem(response, 404, 'no such track')
  })
})
afterEach(async () => {
  await creators.close()
  await discovery.close()
})

/** What a node says of releases. */
async function holding(request: IncomingMessage, response: ServerResponse, origin: string): Promise<void> {
  const mine = held.get(origin) ?? []
  if (request.method === 'POST') {
    const { action, holdUntilMs } = holdRequestSchema.parse(JSON.parse(await readBody(request)))
    if (refusals > 0) {
      refusals -= 1
      return answerProblem(response, 422, 'not among the operators', {}, 'invalid-receipt')
    }
    const { hash, subject } = openAction(action, domain)
    deadlines.push(action.deadline * 1000)
    const release: HeldRelease = { hash, subject, holdUntilMs, heldAtMs: now, state: 'waiting' }
    held.set(origin, [...mine.filter((one) => one.subject !== subject), release])
    return answerJson(response, release, 202)
  }
  const hash = request.url?.split('/')[2]
  if (hash === undefined) return answerJson(response, { items: mine, next: null })
  const found = mine.find((one) => one.hash === hash)
  if (found === undefined) return answerProblem(response, 404, 'no such release')
  if (request.method === 'GET') return answerJson(response, found)
  held.set(
    origin,
    mine.filter((one) => one !== found),
  )
  response.writeHead(204).end()
}

const connection = (...nodes: CreatorNode[]) =>
  connectionTo({
    discovery: discovery.origin,
    creators: (nodes.length > 0 ? nodes : [node]).map(({ origin }) => origin),
    now: () => now,
  })

async function release(holdUntilMs: number | undefined, ...nodes: CreatorNode[]): Promise<ReleasedFile> {
  const details = () => ({ title: 'Later', artist: 'Guido', licence: 'CC0-1.0', rightsHeld: true }) as const
  const file = { source: sourceFile, details }
  const [released] = await releaseTracks(connection(...nodes), account, [file], { memory, holdUntilMs })
  if (released === undefined) throw new Error('there is no answer')
  return released
}

function scheduled(released: ReleasedFile) {
  if (released.state === 'scheduled') return released
  throw released.state === 'failed' ? released.error : new Error(`it is ${released.state}`)
}

const key = memoryKey(account, sourceFile)

async function savedNow(): Promise<SavedUpload> {
  const saved = await memory.load(key)
  if (saved === undefined) throw new Error('nothing is remembered')
  return saved
}

const heldAt = ({ origin }: CreatorNode) => held.get(origin) ?? []
const posts = (url: string) => node.requests.filter((request) => request === `POST ${url}`).length
const change = (to: Partial<HeldRelease>) =>
  held.set(
    node.origin,
    heldAt(node).map((one) => ({ ...one, ...to })),
  )

describe('a release at a time', () => {
  test('is given to the node of the upload, good for as long as operators hold it, and nothing is sent', async () => {
    const { release: made, node: where, title } = scheduled(await release(now + 9 * day))
    expect({ where, title, state: made.state }).toEqual({
      where: node.origin,
      title: 'Later',
      state: 'waiting',
    })
    expect(heldAt(node)).toEqual([made])
    expect(deadlines).toEqual([Math.floor((now + 15 * day) / 1000) * 1000])
    const { url } = await savedNow()
    const grant = JSON.parse(node.metadata(url.split('/').at(-1) ?? '').grant ?? '{}')
    expect(grant.expiresAt).toBe(now + 15 * day)
    expect(posts('/actions')).toBe(0)
    expect(await listReleases(connection(), account, node.origin)).toEqual([made])
  })

  test('is given once, however often it is asked for', async () => {
    const first = scheduled(await release(now + day))
    const second = scheduled(await release(now + day))
    expect([second.before, second.release]).toEqual([true, first.release])
    expect([posts('/uploads'), posts('/releases')]).toEqual([1, 1])
  })

  test('is put off and brought forward under the same name; by much, with another upload', async () => {
    const first = scheduled(await release(now + 2 * day))
    const sooner = scheduled(await release(now + day))
    expect([heldAt(node).length, posts('/uploads')]).toEqual([1, 1])
    const later = scheduled(await release(now + 20 * day))
    expect([sooner.subject, later.subject]).toEqual([first.subject, first.subject])
    expect(heldAt(node)).toMatchObject([{ hash: later.release.hash, holdUntilMs: now + 20 * day }])
    expect(posts('/uploads')).toBe(2)
  })

  test('is withdrawn at one node before another one has it', async () => {
    scheduled(await release(now + 2 * day))
    const saved = await savedNow()
    await memory.save(key, { ...saved, node: other.origin, url: `${other.origin}/uploads/none` })
    scheduled(await release(now + 3 * day, other))
    expect([heldAt(node).length, heldAt(other).length]).toEqual([0, 1])
  })

  test('is signed anew when its receipts do not count any more, before or after it was given', async () => {
    refusals = 1
    const first = scheduled(await release(now + day))
    change({ state: 'outdated', reason: 'an operator has left' })
    const second = scheduled(await release(now + day))
    expect(second.release.hash).not.toBe(first.release.hash)
    expect(heldAt(node)).toMatchObject([{ state: 'waiting', hash: second.release.hash }])
    expect(posts('/uploads')).toBe(1)
  }, 20_000)

  test('is not published before by mistake; once withdrawn, it is', async () => {
    const { release: made } = scheduled(await release(now + day))
    expect(await release(undefined)).toMatchObject({
      state: 'failed',
      error: { name: 'WrongReleaseTime', message: expect.stringContaining(`withdraw ${made.hash}`) },
    })
    await withdrawRelease(connection(), account, { node: node.origin, hash: made.hash })
    await withdrawRelease(connection(), account, { node: node.origin, hash: made.hash })
    // Nothing of it stands in the way any more: it goes as far as the node's route for actions.
    expect(await release(undefined)).toMatchObject({ state: 'failed', step: 'publishing' })
  }, 20_000)

  test('is the published track once it was sent, though its time is past', async () => {
    const made = scheduled(await release(now + day))
    change({ state: 'sent' })
    now += 2 * day
    published = trackOf(made.subject, loaded, ['https://holder.example'], { title: 'Later' })
    expect(await release(now - day)).toMatchObject({ state: 'published', before: true })
    held.clear()
    expect(await release(now - day)).toMatchObject({ state: 'published', before: true })
  })

  test('is given for another time once it was refused', async () => {
    scheduled(await release(now + day))
    change({ state: 'refused', reason: 'an operator had left' })
    now += 2 * day
    const late = await release(now - day)
    expect(late).toMatchObject({ state: 'failed', error: { message: expect.stringContaining('is past') } })
    expect(scheduled(await release(now + day)).release.state).toBe('waiting')
  })

  test('that is past uploads nothing', async () => {
    expect(await release(now)).toMatchObject({ state: 'failed', error: { name: 'WrongReleaseTime' } })
    expect(posts('/uploads')).toBe(0)
  })

  test('needs a node that holds something back', async () => {
    const plain = await creators.start({
      intercept: (request, response) => {
        if (!request.url?.startsWith('/releases')) return false
        answerProblem(response, 404, 'there is nothing here')
        return true
      },
      onReceived: (id, self) => self.change(id, { state: 'ready', track: facts }),
    })
    expect(await release(now + day, plain)).toMatchObject({
      state: 'failed',
      error: { message: expect.stringContaining('use another creator node') },
    })
  })
})

test('a memory of before knows nothing of releases, and goes on', () => {
  const hash: Hash = `0x${'1'.repeat(64)}`
  const old = { subject: `${account.address}-7`, node: node.origin, url: `${node.origin}/uploads/1` }
  expect(savedUploadSchema.parse(old)).toEqual(old)
  const held = { node: node.origin, hash, holdUntilMs: 1, title: 'Later' }
  expect(savedUploadSchema.parse({ ...old, held, grantUntilMs: 2 })).toMatchObject({ held, grantUntilMs: 2 })
})
