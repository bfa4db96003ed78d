import type { Address } from '@hexachord/protocol/names'
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
  labelledPremium,
  mapMemory,
  type RecordedTrack,
  serve,
  sourceFile,
  trackOf,
} from '../fixtures/index.ts'
import { releaseTracks } from '../releasing/index.ts'
import { NotPremium, type PremiumUploads, uploadTrack } from './index.ts'

const [first, second, third] = ['a', 'b', 'c'].map((digit): Address => `0x${digit.repeat(40)}`) as [
  Address,
  Address,
  Address,
]
const clear = await exampleTrack()
const encrypted = await labelledPremium(clear, { keyHolders: [first, second] })

let creators: Creators
let made: RecordedTrack
beforeEach(() => {
  creators = createCreators()
  made = encrypted
})
afterEach(() => creators.close())

/** Makes of any file what `made` is at the moment, and gives its blocks. */
function start(): Promise<CreatorNode> {
  return creators.start({
    intercept: (request, response) => {
      const cid = /^\/ipfs\/(\w+)\?format=raw$/.exec(request.url ?? '')?.[1]
      if (cid === undefined) return false
      const block = made.blocks.get(cid)
      if (block === undefined) response.writeHead(404).end()
      else response.writeHead(200, { 'content-length': block.length }).end(block)
      return true
    },
    onReceived: (id, node) => node.change(id, { state: 'ready', track: factsOf(made) }),
  })
}

function factsOf({ track }: RecordedTrack) {
  const { cid, byteLength, manifest } = track
  const root = `0x${'11'.repeat(32)}` as const
  return { manifest: cid, storageRoot: root, leafCount: 1, byteLength, durationMs: manifest.durationMs }
}

/** @param found who is chosen where nobody is named */
function premium(changes: Partial<PremiumUploads> = {}, found: readonly Address[] = [first, second]) {
  return {
    clearMs: 0,
    toNode: async (_node, _track, begun) => ({
      ...{ sealed: `0x02${'00'.repeat(80)}`, clearMs: changes.clearMs ?? 0 },
      keyHolders: [...(changes.keyHolders ?? begun ?? found)],
    }),
    ...changes,
  } satisfies PremiumUploads
}

const posts = ({ requests }: CreatorNode) => requests.filter((request) => request.startsWith('POST')).length

describe('a premium upload', () => {
  test('never goes on with one of the same file in the clear, nor that with it', async () => {
    const node = await start()
    const connection = connectionTo({ creators: [node.origin] })
    const memory = mapMemory()
    made = clear
    const free = await uploadTrack(connection, account, sourceFile, { memory })
    made = encrypted
    const hidden = await uploadTrack(connection, account, sourceFile, { memory, premium: premium() })
    expect(hidden.subject).not.toBe(free.subject)
    expect(node.metadata(free.id).premium).toBeUndefined()
    expect(JSON.parse(node.metadata(hidden.id).premium ?? '')).toMatchObject({ keyHolders: [first, second] })
    await expect(uploadTrack(connection, account, sourceFile, { memory })).resolves.toMatchObject({
      id: free.id,
    })
    // Whoever answers soonest now: the first list stays.
    const again = premium({}, [third])
    await expect(
      uploadTrack(connection, account, sourceFile, { memory, premium: again }),
    ).resolves.toMatchObject({ id: hidden.id })
    expect(posts(node)).toBe(2)
  })

  test.each([
    ['other key holders', { keyHolders: [third] }],
    ['another preview', { clearMs: 6_000 }],
  ])('with %s is another one than was begun', async (_, changes) => {
    const node = await start()
    const connection = connectionTo({ creators: [node.origin] })
    const memory = mapMemory()
    const one = await uploadTrack(connection, account, sourceFile, { memory, premium: premium() })
    made = await labelledPremium(clear, { keyHolders: [first, second], ...changes })
    const other = await uploadTrack(connection, account, sourceFile, { memory, premium: premium(changes) })
    expect(other.id).not.toBe(one.id)
  })

  test('that its node has forgotten while it was sent is premium again', async () => {
    let forgets = true
    const disk = await creators.newDisk()
    const memory = mapMemory()
    const stop = new AbortController()
    const node = await creators.start({
      disk,
      intercept: (request, response) => {
        const isBlock = request.url?.startsWith('/ipfs/')
        if (isBlock) response.end(encrypted.blocks.get(request.url?.slice(6).split('?')[0] ?? ''))
        // It knows the upload when asked how it is, and not any more when more of it comes.
        const isGone = request.method === 'HEAD' && forgets && stop.signal.aborted
        if (isGone) {
          forgets = false
          answerProblem(response, 404, 'no such upload')
        }
        return isBlock === true || isGone
      },
      onReceived: (id, self) => self.change(id, { state: 'ready', track: factsOf(encrypted) }),
    })
    const connection = connectionTo({ creators: [node.origin] })
    const begun = uploadTrack(connection, account, sourceFile, {
      ...{ memory, premium: premium(), signal: stop.signal },
      onProgress: (step) => step.step === 'sending' && step.sentBytes > 5 << 20 && stop.abort(),
    })
    await expect(begun).rejects.toThrow('aborted')
    const { id } = await uploadTrack(connection, account, sourceFile, { memory, premium: premium() })
    expect(forgets).toBe(false)
    expect(node.metadata(id).premium).toContain(first)
  })

  test.each([
    ['in the clear', async () => clear, 'anybody can play it'],
    [
      'for other key holders',
      () => labelledPremium(clear, { keyHolders: [first, second, third] }),
      `its key holders are ${first}, ${second}, ${third}`,
    ],
    [
      'with more of it in the clear',
      () => labelledPremium(clear, { keyHolders: [first, second], clearSegments: 2 }),
      'more of it is in the clear than the 6000 ms',
    ],
  ])('that a node has made %s is given up, and never published', async (_, makes, reason) => {
    made = await makes()
    const node = await start()
    const memory = mapMemory()
    const connection = connectionTo({ creators: [node.origin] })
    const wanted = premium({ clearMs: 6_000 })
    const [file] = await releaseTracks(connection, account, [{ source: sourceFile, details: neverAsked }], {
      ...{ memory, premium: wanted },
    })
    expect(file).toMatchObject({ state: 'failed', step: 'uploading', error: expect.any(NotPremium) })
    expect(String(file?.state === 'failed' && file.error)).toContain(reason)
    expect(node.requests.at(-1)).toMatch(/^DELETE/)
    expect([...memory.saved.keys()]).toEqual([])
  })
})

describe('a file that was published before', () => {
  /** Releases the file again, where discovery has it as `published`. */
  async function released(published: RecordedTrack, asked: PremiumUploads | undefined, wasPremium: boolean) {
    const node = await start()
    made = published
    const memory = mapMemory()
    const saved = {
      subject: `${account.address}-9`,
      node: node.origin,
      url: `${node.origin}/uploads/1`,
    } as const
    const key = `${account.address} ${sourceFile.fingerprint}${wasPremium ? ' premium' : ''}`
    memory.saved.set(key, { ...saved, published: true })
    const discovery = await serve((_, response) =>
      answerJson(response, trackOf(saved.subject, published.track, [node.origin])),
    )
    const connection = connectionTo({ creators: [node.origin], discovery: discovery.origin })
    const files = [
      {
        source: sourceFile,
        details: () => {
          throw new Error('it is sent anew')
        },
      },
    ]
    try {
      return await releaseTracks(connection, account, files, { memory, premium: asked })
    } catch (error) {
      return String(error)
    } finally {
      await discovery.close()
    }
  }

  test('counts as what it is alone: in the clear, or premium', async () => {
    await expect(released(clear, undefined, false)).resolves.toMatchObject([{ before: true }])
    await expect(released(encrypted, premium(), true)).resolves.toMatchObject([{ before: true }])
    await expect(released(encrypted, premium(), false)).resolves.toContain('it is sent anew')
    await expect(released(encrypted, undefined, true)).resolves.toContain('it is sent anew')
  })

  test('as premium and is not so now, or for others, is not published by that name again', async () => {
    for (const [published, asked] of [
      [clear, premium()],
      [encrypted, premium({ keyHolders: [third] })],
    ] as const) {
      await expect(released(published, asked, true)).resolves.toMatchObject([
        {
          state: 'failed',
          error: { name: 'NotPremium', message: expect.stringContaining('as a new track') },
        },
      ])
    }
  })
})

function neverAsked(): never {
  throw new Error('nothing is to be published')
}
