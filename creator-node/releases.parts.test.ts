import { signAction } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { authorOf, type Hash } from '@hexachord/protocol/names'
import { actionStatusSchema, type HeldRelease, type UploadAnswer } from '@hexachord/protocol/rest'
import { eventually } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { JsonRpcProvider, parseEther, type Wallet } from 'ethers'
import { aSubject, sendFile, tokenOf } from './fixtures/send-file.ts'
import { makeMusic } from './fixtures/test-music.ts'
import { fresh } from './fixtures/test-node.ts'
import { startTestWorld, type TestWorld } from './fixtures/test-world.ts'

let world: TestWorld
beforeAll(async () => {
  world = await startTestWorld({ operators: 4 })
  const provider = new JsonRpcProvider(world.chain.rpcUrl, undefined, { staticNetwork: true })
  const wei = `0x${parseEther('100').toString(16)}`
  await provider.send('anvil_setBalance', [world.node.relayer.address, wei])
  provider.destroy()
}, 60_000)
afterAll(() => world.close())

const dayMs = 86_400_000

async function ask(author: Wallet, method: string, path: string, body?: object) {
  const response = await fetch(world.node.origin + path, {
    method,
    headers: { 'Content-Type': 'application/json', Authorization: await tokenOf(author, world.node) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  const text = await response.text()
  return {
    status: response.status,
    location: response.headers.get('location'),
    body: text ? JSON.parse(text) : null,
  }
}

async function uploaded(author: Wallet, seconds: number): Promise<UploadAnswer> {
  const file = await makeMusic(world.folder, `song-${seconds}.mp3`, { seconds, options: ['-b:a', '96k'] })
  const grant = { expiresAt: Date.now() + 36 * dayMs }
  const upload = await world.ended(await sendFile(world.node, author, file, { grant }))
  expect(upload.state).toBe('ready')
  return upload
}

async function signed(author: Wallet, { track, receipts }: UploadAnswer) {
  const { hash, ...action } = await signAction(author, world.node.domain, {
    ...{ author: authorOf(aSubject(author)), kind: 'track', subject: aSubject(author) },
    content: {
      ...{ prev: null, ...track, title: 'Secret', artist: 'Guido', licence: 'CC0-1.0', rightsHeld: true },
      receipts: receipts.map(({ operator, blockNumber, validUntil, signature }) => ({
        ...{ operator, blockNumber, validUntil, signature },
      })),
    } as Json,
    nonce: BigInt(fresh().privateKey),
    deadline: Math.floor((Date.now() + 36 * dayMs) / 1_000),
  })
  return { hash, action }
}

const judged = (hash: Hash) =>
  eventually(
    async () => {
      const response = await fetch(`${world.node.origin}/actions/${hash}`)
      return response.ok ? actionStatusSchema.parse(await response.json()) : undefined
    },
    {
      ...{ describe: 'the action is judged', deadlineMs: 40_000 },
      until: (status) => status?.status === 'applied' || status?.status === 'rejected',
    },
  )

const readBy = async (author: Wallet, hash: Hash) =>
  (await ask(author, 'GET', `/releases/${hash}`)).body as HeldRelease

describe('a release', () => {
  test('comes at its time though the node was away, is told to its artist alone, and never before', async () => {
    const author = fresh()
    const { hash, action } = await signed(author, await uploaded(author, 13))
    const holdUntilMs = Date.now() + 3_000
    const given = await ask(author, 'POST', '/releases', { action, holdUntilMs })
    expect(given).toMatchObject({
      status: 202,
      location: `/releases/${hash}`,
      body: { state: 'waiting', hash },
    })
    expect(JSON.stringify(given.body)).not.toContain('Secret')
    expect((await fetch(`${world.node.origin}/actions/${hash}`)).status).toBe(404)
    expect((await fetch(`${world.node.origin}/releases`)).status).toBe(401)
    expect((await ask(fresh(), 'GET', '/releases')).body).toEqual({ items: [], next: null })
    for (const method of ['GET', 'DELETE']) {
      expect((await ask(fresh(), method, `/releases/${hash}`)).status).toBe(404)
    }
    await world.node.stop()
    await eventually(() => Date.now(), {
      describe: 'its time',
      deadlineMs: 10_000,
      until: (ms) => ms > holdUntilMs,
    })
    await world.node.start()
    expect(await judged(hash)).toMatchObject({ status: 'applied', subject: aSubject(author) })
    expect(await readBy(author, hash)).toMatchObject({ state: 'sent' })
    expect((await ask(author, 'DELETE', `/releases/${hash}`)).status).toBe(409)
    const status = await (await fetch(`${world.node.origin}/status`)).json()
    expect(status).toMatchObject({ releases: { sent: 1 } })
  }, 120_000)

  test('is to be signed anew when an operator of a receipt leaves, and the newer takes its place', async () => {
    const author = fresh()
    const upload = await uploaded(author, 14)
    const { hash, action } = await signed(author, upload)
    const holdUntilMs = Date.now() + 20 * dayMs
    expect((await ask(author, 'POST', '/releases', { action, holdUntilMs })).status).toBe(202)
    const leaving = world.operators.find(({ operator }) => operator === upload.receipts[0]?.operator)
    await leaving?.leave()
    await world.chain.mineIntoNextEpoch()
    await world.chain.mineIntoNextEpoch()
    await world.chain.mineIntoNextEpoch()
    const outdated = await eventually(() => readBy(author, hash), {
      ...{ describe: 'the release is outdated', deadlineMs: 30_000 },
      until: ({ state }) => state === 'outdated',
    })
    expect(outdated.reason).toContain(leaving?.operator)

    const renewed = await eventually(() => world.node.upload(upload.id), {
      ...{ describe: 'the upload has other receipts', deadlineMs: 60_000 },
      until: ({ state, receipts }) =>
        state === 'ready' && receipts.every(({ operator }) => operator !== leaving?.operator),
    })
    const anew = await signed(author, renewed)
    const again = await ask(author, 'POST', '/releases', { action: anew.action, holdUntilMs })
    expect(again).toMatchObject({ status: 202, body: { state: 'waiting' } })
    const { body } = await ask(author, 'GET', '/releases')
    expect(body.items.map((release: HeldRelease) => release.hash)).toEqual([anew.hash])

    expect((await ask(author, 'DELETE', `/releases/${anew.hash}`)).status).toBe(204)
    expect((await ask(author, 'DELETE', `/releases/${anew.hash}`)).status).toBe(404)
  }, 150_000)

  test.each<[string, object, number]>([
    ['nothing', {}, 400],
    ['a time that is past', { holdUntilMs: 1 }, 400],
    ['a time that is none', { holdUntilMs: 'tomorrow' }, 400],
    ['more than is asked for', { holdUntilMs: 1, releaseAtMs: 1 }, 400],
  ])('is not taken with %s', async (_, change, status) => {
    const author = fresh()
    const { action } = await signed(author, { track: null, receipts: [] } as unknown as UploadAnswer).catch(
      () => ({ action: undefined }),
    )
    const body = { ...(action ? { action } : {}), ...change }
    expect((await ask(author, 'POST', '/releases', body)).status).toBe(status)
  })
})
