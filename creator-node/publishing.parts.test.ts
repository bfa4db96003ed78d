import { createGuardedFetch } from '@hexachord/platform/http'
import { signAction } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { authorOf, type Hash, type Subject, userSubject } from '@hexachord/protocol/names'
import { actionStatusSchema, type UploadAnswer } from '@hexachord/protocol/rest'
import { eventually } from '@hexachord/scripts/testing'
import { createNodeClient } from '@hexachord/storage/peers'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parseEther, type Wallet } from 'ethers'
import { aSubject, sendFile, tokenOf } from './fixtures/send-file.ts'
import { makeMusic } from './fixtures/test-music.ts'
import { fresh } from './fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from './fixtures/test-world.ts'

let world: TestWorld
beforeAll(async () => {
  world = await startTestWorld({ operators: 4, env: { DAILY_ACTIONS_PER_KEY: '5' } })
  await fund(world.node.relayer.address)
}, 60_000)
afterAll(() => world.close())

async function fund(address: string): Promise<void> {
  const body = {
    jsonrpc: '2.0',
    id: 1,
    method: 'anvil_setBalance',
    params: [address, `0x${parseEther('100').toString(16)}`],
  }
  await fetch(world.chain.rpcUrl, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
}

type ActionChange = { nonce?: bigint; deadline?: number; subject?: Subject; signer?: Wallet }

async function signed(author: Wallet, kind: 'track' | 'user', content: Json, change: ActionChange = {}) {
  const subject =
    change.subject ?? (kind === 'user' ? userSubject(authorOf(aSubject(author))) : aSubject(author))
  return signAction(change.signer ?? author, world.node.domain, {
    ...{ author: authorOf(subject), kind, subject, content },
    nonce: change.nonce ?? BigInt(Date.now()) * 1_000n + BigInt(Math.floor(Math.random() * 1_000)),
    deadline: change.deadline ?? Math.floor(Date.now() / 1000) + 3_600,
  })
}

async function post(author: Wallet, { hash: _, ...action }: Awaited<ReturnType<typeof signed>>) {
  const response = await fetch(`${world.node.origin}/actions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: await tokenOf(author, world.node) },
    body: JSON.stringify(action),
  })
  return {
    status: response.status,
    body: (await response.json()) as { hash?: Hash; type?: string; detail?: string },
  }
}

async function statusOf(hash: Hash) {
  const response = await fetch(`${world.node.origin}/actions/${hash}`)
  return actionStatusSchema.parse(await response.json())
}

const judged = (hash: Hash) =>
  eventually(() => statusOf(hash), {
    ...{ describe: 'the action is judged', deadlineMs: 30_000 },
    until: ({ status }) => status === 'applied' || status === 'rejected',
  })

function trackContent({ track, receipts }: UploadAnswer, change: object = {}): Json {
  if (track === null) throw new Error('there is no track')
  return {
    ...{ prev: null, ...track, title: 'Sechs', artist: 'Hexachord', licence: 'CC-BY-4.0', rightsHeld: true },
    receipts: receipts.map(({ operator, blockNumber, validUntil, signature }) => ({
      ...{ operator, blockNumber, validUntil, signature },
    })),
    ...change,
  } as Json
}

const song = (seconds = 14) =>
  makeMusic(world.folder, `song-${seconds}.mp3`, { seconds, options: ['-b:a', '96k'] })

describe('a track', () => {
  test('goes from the file to the catalogue', async () => {
    const author = fresh()
    const upload = await world.ended(await sendFile(world.node, author, await song()))
    expect(upload).toMatchObject({ state: 'ready', copies: 3 })
    expect(upload.receipts).toHaveLength(3)
    expect(upload.replicas.map(({ state }) => state)).toEqual(['held', 'held', 'held'])

    const list = await fetch(`${world.node.origin}/manifests/${upload.track?.manifest}/receipts`)
    expect(((await list.json()) as { items: unknown[] }).items).toHaveLength(3)

    const action = await signed(author, 'track', trackContent(upload))
    expect(await post(author, action)).toEqual({ status: 202, body: { hash: action.hash } })
    expect(await judged(action.hash)).toMatchObject({ status: 'applied', subject: aSubject(author) })
    // Given once more it is the same action, and costs nothing.
    expect(await post(author, action)).toEqual({ status: 202, body: { hash: action.hash } })

    const update = trackContent(upload, { prev: action.hash, receipts: [], title: 'Sieben' })
    const second = await signed(author, 'track', update)
    expect((await post(author, second)).status).toBe(202)
    expect(await judged(second.hash)).toMatchObject({ status: 'applied' })

    const stale = await signed(author, 'track', trackContent(upload, { prev: null, title: 'Acht' }))
    expect(await post(author, stale)).toMatchObject({
      status: 409,
      body: { type: 'urn:hexachord:problem:stale-prev' },
    })
  }, 90_000)

  test('is offered while it is made: operators have its first blocks before it is complete', async () => {
    const file = await makeMusic(world.folder, 'long.wav', { seconds: 40 })
    const id = await sendFile(world.node, fresh(), file)
    const early = await eventually(() => world.node.upload(id), {
      ...{ describe: 'operators pull', deadlineMs: 60_000 },
      until: ({ replicas }) => replicas.some(({ state }) => state === 'pulling'),
    })
    expect(early.state).toBe('processing')
    expect(await world.ended(id)).toMatchObject({ state: 'ready' })
  }, 90_000)

  test('walks down the ranks when operators refuse, cheat or are away', async () => {
    const author = fresh()
    const [first, second] = world.operators
    first?.behave('refuses')
    second?.behave('signs another root')
    try {
      const upload = await world.ended(await sendFile(world.node, author, await song(13)))
      expect(upload.state).toBe('ready')
      // Four operators, of which two do what they should: enough for every indexer.
      expect(upload.receipts).toHaveLength(2)
      const refused = upload.replicas.filter(({ state }) => state === 'refused')
      expect(refused.map(({ reason }) => reason).sort()).toEqual([
        'not today',
        "the operator's receipt does not count: its storage root is not that of the track",
      ])
      const action = await signed(author, 'track', trackContent(upload))
      expect((await post(author, action)).status).toBe(202)
      expect(await judged(action.hash)).toMatchObject({ status: 'applied' })
    } finally {
      first?.behave('honest')
      second?.behave('honest')
    }
  }, 90_000)

  test('is still replicated after the node was started anew', async () => {
    for (const operator of world.operators) operator.behave('is busy')
    const id = await sendFile(world.node, fresh(), await song(12))
    await world.until(id, 'replicating')
    await world.node.stop()
    for (const operator of world.operators) operator.behave('honest')
    await world.node.start()
    expect(await world.ended(id)).toMatchObject({ state: 'ready' })
  }, 90_000)

  test('shows its blocks to operators it was offered to, and to nobody else', async () => {
    const id = await sendFile(world.node, fresh(), await song(11))
    await world.ended(id)
    const path = `/uploads/${id}/blocks?after=0&wait=0`
    expect((await fetch(world.node.origin + path)).status).toBe(401)
    const [first] = world.operators
    const { replicas } = await world.node.upload(id)
    const without = world.operators.find(({ operator }) =>
      replicas.every((replica) => replica.operator !== operator),
    )
    const asked = await Promise.all(
      [first, without].map(async (operator) => {
        if (operator === undefined) throw new Error('there are four operators and three copies')
        const fetch = createGuardedFetch({ allowPrivateAddresses: true })
        const client = createNodeClient({
          hotKey: operator.hotKey,
          domain: world.node.domain,
          fetch,
          now: Date.now,
        })
        const { status } = await client(world.node.origin, path)
        await fetch.close()
        return { status, offered: operator !== without }
      }),
    )
    for (const { status, offered } of asked) expect(status).toBe(offered ? 200 : 403)
  }, 60_000)
})

describe('an action is refused at once', () => {
  const profile = (change: object = {}) => ({ prev: null, name: 'Somebody', ...change }) as Json

  test('when it is not on behalf of its author', async () => {
    const [author, stranger] = [fresh(), fresh()]
    const subject = userSubject(authorOf(aSubject(author)))
    const action = await signed(author, 'user', profile(), { subject, signer: stranger })
    expect(await post(stranger, action)).toMatchObject({
      ...{ status: 403, body: { type: 'urn:hexachord:problem:not-authorised' } },
    })
  })

  test('when it has no receipts', async () => {
    const author = fresh()
    const upload = await world.ended(await sendFile(world.node, author, await song(10)))
    const action = await signed(author, 'track', trackContent(upload, { receipts: [] }))
    expect(await post(author, action)).toMatchObject({
      ...{ status: 422, body: { type: 'urn:hexachord:problem:missing-receipts' } },
    })
    const other = { ...upload, receipts: upload.receipts.map((receipt) => ({ ...receipt, blockNumber: 0 })) }
    const forged = await signed(author, 'track', trackContent(other))
    expect(await post(author, forged)).toMatchObject({ status: 422 })
  }, 60_000)

  test('when it comes too late', async () => {
    const author = fresh()
    const action = await signed(author, 'user', profile(), { deadline: 1_000 })
    expect(await post(author, action)).toMatchObject({
      ...{ status: 400, body: { type: 'urn:hexachord:problem:deadline-past' } },
    })
  })

  test('when its nonce was used for another', async () => {
    const author = fresh()
    const action = await signed(author, 'user', profile(), { nonce: 7n })
    expect((await post(author, action)).status).toBe(202)
    await judged(action.hash)
    const again = await signed(author, 'user', profile({ prev: action.hash, name: 'Other' }), { nonce: 7n })
    expect(await post(author, again)).toMatchObject({
      ...{ status: 409, body: { type: 'urn:hexachord:problem:nonce-used' } },
    })
  }, 30_000)

  test('when it is not an action at all', async () => {
    const author = fresh()
    const action = await signed(author, 'user', profile())
    expect((await post(author, { ...action, signature: '0x00' })).status).toBe(400)
    expect((await post(author, { ...action, kind: 60_000 })).status).toBeGreaterThanOrEqual(400)
    expect((await post(author, { ...action, nonce: '-1' })).status).toBe(400)
    const without = await fetch(`${world.node.origin}/actions`, { method: 'POST' })
    expect(without.status).toBe(401)
  })

  test('when the budget of its key is spent', async () => {
    const author = fresh()
    let prev: Hash | null = null
    for (let count = 0; count < 5; count++) {
      const action = await signed(author, 'user', profile({ prev, name: `Name ${count}` }))
      // Each builds on one that is only on its way: the order is the author's.
      expect((await post(author, action)).status).toBe(202)
      prev = action.hash
    }
    const sixth = await signed(author, 'user', profile({ prev, name: 'Once more' }))
    const { status, body } = await post(author, sixth)
    expect([status, body.type]).toEqual([429, 'urn:hexachord:problem:budget-spent'])
    expect(body.detail).toContain('send the action to the Catalog contract yourself')
    if (prev !== null) expect(await judged(prev)).toMatchObject({ status: 'applied' })
  }, 60_000)

  test('and one that nobody knows is not found', async () => {
    const response = await fetch(`${world.node.origin}/actions/0x${'0'.repeat(64)}`)
    expect(response.status).toBe(404)
  })
})

test('a handle that is taken is refused before anybody pays for the action', async () => {
  const [first, second] = [fresh(), fresh()]
  const action = await signed(first, 'user', { prev: null, handle: 'hexachord' })
  expect((await post(first, action)).status).toBe(202)
  await judged(action.hash)
  expect(await post(second, await signed(second, 'user', { prev: null, handle: 'hexachord' }))).toMatchObject(
    {
      status: 409,
      body: { type: 'urn:hexachord:problem:handle-taken' },
    },
  )
}, 60_000)

test('a track that every operator refuses fails, and says what each of them said', async () => {
  for (const operator of world.operators) operator.behave('refuses')
  try {
    const upload = await world.ended(await sendFile(world.node, fresh(), await song(11)))
    expect(upload).toMatchObject({ state: 'failed', problem: 'refusedByAll', heldCopies: 0, neededCopies: 2 })
    expect(upload.reason?.match(/not today/g)).toHaveLength(4)
  } finally {
    for (const operator of world.operators) operator.behave('honest')
  }
}, 60_000)

test('a track that operators cannot take just now waits for them, and says why', async () => {
  for (const operator of world.operators) operator.behave('is busy')
  const id = await sendFile(world.node, fresh(), await song(12))
  const waiting = await eventually(() => world.node.upload(id), {
    ...{ describe: 'the upload says what it waits for', deadlineMs: 60_000 },
    until: ({ state, waitingFor }) => state === 'replicating' && waitingFor?.includes('later') === true,
  })
  expect(waiting.waitingFor).toMatch(/^0 of 3 copies are there; /)
  for (const operator of world.operators) operator.behave('honest')
  expect(await world.ended(id)).toMatchObject({ state: 'ready', heldCopies: 3 })
}, 120_000)

test('what the node says of itself is what nodes say', async () => {
  const status = (await (await fetch(`${world.node.origin}/status`)).json()) as Record<string, unknown>
  expect(status).toMatchObject({
    ...{ service: 'creator-node', operator: world.node.operator, registered: true },
    ...{ transcoding: { running: 0, waiting: 0 }, outbox: { queued: 0 } },
  })
  const ready = await fetch(`${world.node.origin}/ready`)
  expect(await ready.json()).toMatchObject({
    status: 'ready',
    checks: ['disk', 'database', 'ipfs', 'chain', 'redis'].map((name) => ({ name, ok: true })),
  })
})

test('a track whose holder leaves before it is published is ready again with receipts that count', async () => {
  const author = fresh()
  const id = await sendFile(world.node, author, await song(15))
  const before = await world.ended(id)
  const outdated = await signed(author, 'track', trackContent(before))
  const leaving = world.operators.find(({ operator }) => operator === before.receipts[0]?.operator)
  await leaving?.leave()
  // Its receipts are good for one epoch more.
  for (let epochs = 0; epochs < 2; epochs++) await world.chain.mineIntoNextEpoch()
  const after = await eventually(() => world.node.upload(id), {
    ...{ describe: 'the upload is ready again', deadlineMs: 30_000 },
    until: ({ state, receipts }) =>
      state === 'ready' && receipts.every(({ operator }) => operator !== leaving?.operator),
  })
  expect(after.receipts).toHaveLength(3)
  expect(await post(author, outdated)).toMatchObject({
    ...{ status: 422, body: { type: 'urn:hexachord:problem:invalid-receipt' } },
  })
  const action = await signed(author, 'track', trackContent(after))
  expect((await post(author, action)).status).toBe(202)
  expect(await judged(action.hash)).toMatchObject({ status: 'applied' })
}, 90_000)
