import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { signAction } from '@hexachord/protocol/actions'
import { authorOf, userSubject } from '@hexachord/protocol/names'
import { signGrant } from '@hexachord/protocol/offers'
import { transactionSchema, type UploadTerms, uploadTermsSchema } from '@hexachord/protocol/rest'
import { eventually } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Wallet } from 'ethers'
import { aSubject, idOf, refusalOf, sendFile, tokenOf } from '../fixtures/send-file.ts'
import { fresh, type TestNode } from '../fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from '../fixtures/test-world.ts'
import { leastSpentBytes } from '../uploads/index.ts'

const run = promisify(execFile)
/** No node makes a track of it: it is here and gone. */
const noMusic = Buffer.from('this is no music')

async function termsOf(node: TestNode, account?: Wallet): Promise<UploadTerms> {
  const headers = new Headers(account === undefined ? [] : [['Authorization', await tokenOf(account, node)]])
  return uploadTermsSchema.parse(await (await fetch(`${node.origin}/uploads`, { headers })).json())
}

/** Begins an upload and sends nothing of it. @returns its URL */
function begin(node: TestNode, author: Wallet, number = 1n): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  sendFile(node, author, noMusic, {
    subject: aSubject(author, number),
    onUrl: (url, upload) => {
      upload.abort().then(() => resolve(url), reject)
    },
  }).catch(reject)
  return promise
}

/** `POST /uploads` as it stands, of a kilobyte. */
async function create(node: TestNode, author: Wallet) {
  const grant = await signGrant(author, node.domain, {
    ...{ subject: aSubject(author), audience: node.origin },
    ...{ byteLimit: 1_000_000, expiresAt: Date.now() + 3_600_000 },
  })
  const metadata = Object.entries({ filename: 'file', grant: JSON.stringify(grant) })
  const response = await fetch(`${node.origin}/uploads`, {
    method: 'POST',
    headers: {
      Authorization: await tokenOf(author, node),
      'Tus-Resumable': '1.0.0',
      'Upload-Length': '1024',
      'Upload-Metadata': metadata.map(([name, value]) => `${name} ${btoa(value)}`).join(','),
    },
  })
  const body = (await response.json()) as Record<string, unknown>
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body }
}

async function profile(node: TestNode, author: Wallet, bio: string) {
  const { hash: _, ...action } = await signAction(author, node.domain, {
    author: authorOf(aSubject(author)),
    kind: 'user',
    subject: userSubject(authorOf(aSubject(author))),
    content: { prev: null, bio },
    nonce: BigInt(Date.now()),
    deadline: Math.floor(Date.now() / 1000) + 3_600,
  })
  const response = await fetch(`${node.origin}/actions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: await tokenOf(author, node) },
    body: JSON.stringify(action),
  })
  const body = (await response.json()) as Record<string, unknown>
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body }
}

describe('a node that is open', () => {
  let world: TestWorld
  beforeAll(async () => {
    world = await startTestWorld({
      env: {
        ...{ MAX_OPEN_UPLOADS: '6', MAX_OPEN_UPLOADS_PER_KEY: '2' },
        ...{ DAILY_BYTES: '2MiB', DAILY_GAS: '250000', DAILY_GAS_PER_KEY: '150000' },
      },
    })
  }, 60_000)
  afterAll(() => world.close())

  test('tells what it takes, and each account what is left for it', async () => {
    const author = fresh()
    expect(await termsOf(world.node, author)).toMatchObject({
      ...{ acceptsUploads: true, publishers: 'open', maximumBytes: 3 * 1024 ** 3 },
      ...{ maximumOpen: 6, maximumOpenPerAccount: 2, receiving: 0, queued: 0, processing: 0 },
      today: { bytes: { left: 2 * 1024 ** 2 }, gas: { left: 250_000, perDay: 250_000 } },
      you: {
        ...{ account: author.address.toLowerCase(), mayPublish: true, open: 0 },
        today: { gas: { left: 150_000, perDay: 150_000 } },
      },
    })
    const status = (await (await fetch(`${world.node.origin}/status`)).json()) as { accepting: unknown }
    expect(uploadTermsSchema.parse(status.accepting).you).toBeUndefined()
  })

  test('takes no more uploads at one time than it says, of one account and of all', async () => {
    const [author, other, third, late] = [fresh(), fresh(), fresh(), fresh()]
    const urls = [await begin(world.node, author, 1n), await begin(world.node, author, 2n)]
    const refused = { status: 429, type: 'too-many-uploads' }
    expect(await refusalOf(begin(world.node, author, 3n))).toEqual(refused)
    for (const account of [other, third]) {
      urls.push(await begin(world.node, account, 1n), await begin(world.node, account, 2n))
    }
    expect(await refusalOf(begin(world.node, late))).toEqual(refused)
    expect(await termsOf(world.node)).toMatchObject({ acceptsUploads: false, receiving: 6 })
    const headers = { 'Tus-Resumable': '1.0.0', Authorization: await tokenOf(author, world.node) }
    await fetch(urls[0] ?? '', { method: 'DELETE', headers })
    const url = await begin(world.node, late)
    expect(await world.node.upload(idOf({ url }))).toMatchObject({ state: 'receiving', reused: false })
    for (const [n, account] of [
      [1, author],
      [2, other],
      [3, other],
      [4, third],
      [5, third],
    ] as const) {
      const headers = { 'Tus-Resumable': '1.0.0', Authorization: await tokenOf(account, world.node) }
      await fetch(urls[n] ?? '', { method: 'DELETE', headers })
    }
  }, 30_000)

  test('spends no more bytes in a day than it says, however many keys there are', async () => {
    const most = (2 * 1024 ** 2) / leastSpentBytes
    let refusal: Awaited<ReturnType<typeof refusalOf>> = null
    for (let sent = 0; refusal === null && sent <= most; sent++) {
      // Those that were sent before are looked at beside this, and count as open until then.
      await eventually(() => termsOf(world.node), {
        ...{ describe: 'room for one more upload', deadlineMs: 20_000 },
        until: ({ receiving, queued, processing }) => receiving + queued + processing < 6,
      })
      refusal = await refusalOf(sendFile(world.node, fresh(), noMusic))
    }
    expect(refusal).toEqual({ status: 429, type: 'budget-spent' })
    const { today, acceptsUploads, reason } = await termsOf(world.node)
    expect(today.bytes.left).toBeLessThan(leastSpentBytes)
    expect([acceptsUploads, reason]).toEqual([false, "today's budget for uploads is spent"])

    for (let keys = 0; keys < 100; keys++) {
      const { status, retryAfter, body } = await create(world.node, fresh())
      expect([status, body.type]).toEqual([429, 'urn:hexachord:problem:budget-spent'])
      expect(Number(retryAfter)).toBeGreaterThan(0)
      // There is none in this network.
      expect([body.otherNodes, body.expense, body.of]).toEqual([[], 'bytes', 'node'])
    }
    expect((await termsOf(world.node)).today.bytes.left).toBe(today.bytes.left)
  }, 60_000)

  test('says how an action is sent without it, when the gas of the day is spent', async () => {
    const author = fresh()
    expect(await profile(world.node, author, 'short')).toMatchObject({ status: 202 })
    const { status, retryAfter, body } = await profile(world.node, author, 'long '.repeat(100))
    expect([status, body.type, body.expense, body.of]).toEqual([
      429,
      'urn:hexachord:problem:budget-spent',
      'gas',
      'account',
    ])
    expect(Number(retryAfter)).toBeGreaterThan(0)
    const transaction = transactionSchema.parse(body.transaction)
    expect(transaction).toMatchObject({ chainId: world.node.domain.chainId, function: 'act' })
    expect(await send(world, transaction)).toMatch(/^0x[0-9a-f]{64}$/)
    const others = await Promise.all([fresh(), fresh(), fresh()].map((key) => profile(world.node, key, 'x')))
    expect(others.map((answer) => answer.body.of ?? 'taken').sort()).toEqual(['node', 'taken', 'taken'])
  }, 30_000)
})

/** Sends a transaction from an account of the chain's node. @returns its hash */
async function send({ chain }: TestWorld, { to, data }: { to: string; data: string }): Promise<unknown> {
  const call = async (method: string, params: unknown[]) => {
    const response = await fetch(chain.rpcUrl, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    return ((await response.json()) as { result?: unknown }).result
  }
  const [from] = (await call('eth_accounts', [])) as string[]
  return call('eth_sendTransaction', [{ from, to, data }])
}

describe('a node of invited publishers', () => {
  let world: TestWorld
  beforeAll(async () => {
    world = await startTestWorld({ env: { PUBLISHERS: 'invite' } })
  }, 60_000)
  afterAll(() => world.close())

  async function redeem(account: Wallet, invite: string) {
    const response = await fetch(`${world.node.origin}/publishers`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: await tokenOf(account, world.node) },
      body: JSON.stringify({ invite }),
    })
    const { type } = (await response.json()) as { type?: string }
    return { status: response.status, type: type?.split(':').at(-1) }
  }

  async function mint(...args: string[]): Promise<string[]> {
    const program = fileURLToPath(new URL('../invite.ts', import.meta.url))
    const env = { ...process.env, NODE_NO_WARNINGS: '1', DATA_DIR: world.node.directory }
    const { stdout } = await run(process.execPath, [program, ...args], { env })
    return stdout.trim().split('\n')
  }

  test('takes nothing of others, and says what they need', async () => {
    expect(await refusalOf(sendFile(world.node, fresh(), noMusic))).toEqual({
      status: 403,
      type: 'invite-needed',
    })
    const relayed = await profile(world.node, fresh(), 'x')
    expect(relayed).toMatchObject({ status: 403, body: { publishers: 'invite' } })
    expect(transactionSchema.parse(relayed.body.transaction).function).toBe('act')
    expect(await redeem(fresh(), 'invite-of-my-own')).toEqual({ status: 403, type: 'invite-unknown' })
  })

  test('takes invites that its operator makes while it runs, each for one account and for ever', async () => {
    const [code = '', ...more] = await mint('3', '--days', '2')
    expect(new Set([code, ...more]).size).toBe(3)
    const [friend, stranger] = [fresh(), fresh()]
    expect(await redeem(friend, code)).toEqual({ status: 200, type: undefined })
    expect(await redeem(stranger, code)).toEqual({ status: 403, type: 'invite-used' })
    expect((await termsOf(world.node, friend)).you?.mayPublish).toBe(true)
    expect((await termsOf(world.node, stranger)).you?.mayPublish).toBe(false)
    await world.node.stop()
    await world.node.start()
    expect(await refusalOf(sendFile(world.node, friend, noMusic))).toBeNull()
    expect(await refusalOf(sendFile(world.node, stranger, noMusic))).toMatchObject({ type: 'invite-needed' })
  }, 60_000)

  test('makes no invites of nonsense', async () => {
    await expect(mint('many', '--days', '0')).rejects.toThrow('COUNT must be a number')
  }, 60_000)
})
