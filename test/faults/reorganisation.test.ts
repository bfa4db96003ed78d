import { userSubject } from '@hexachord/protocol/names'
import type { ActionStatus, Track } from '@hexachord/protocol/rest'
import { freePort } from '@hexachord/scripts/testing'
import { findUser } from '@hexachord/sdk/finding'
import { publishTrack } from '@hexachord/sdk/publishing'
import { writeAction } from '@hexachord/sdk/writing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { JsonRpcProvider } from 'ethers'
import { type Artist, newArtist } from '../network/artist.ts'
import { makeRecording } from '../network/recordings.ts'
import { startByHand } from './by-hand.ts'
import { commonStateHash, type FaultNetwork, readJson, startFaultNetwork } from './fault-network.ts'

let network: FaultNetwork
let artist: Artist
let provider: JsonRpcProvider

beforeAll(async () => {
  // Blocks come when the test wants them.
  network = await startFaultNetwork({ contentServices: 1, mining: 'manual', finalityBlocks: 20 })
  artist = await newArtist(network)
  provider = new JsonRpcProvider(network.urls.chain, network.chain.chainId, {
    staticNetwork: true,
    cacheTimeout: -1,
  })
}, 60_000)
afterAll(async () => {
  provider?.destroy()
  await network?.close()
})

/** What discovery says of an action; undefined while it knows nothing of it. */
async function statusOf(hash: string, signal?: AbortSignal): Promise<ActionStatus | undefined> {
  const answer = await fetch(`${network.urls.discovery}/v1/actions/${hash}`, signal ? { signal } : {})
  return answer.ok ? ((await answer.json()) as ActionStatus) : undefined
}

/** Mines a block each time it is asked whether something is so. */
function mining<T>(condition: (signal: AbortSignal) => Promise<T>) {
  return async (signal: AbortSignal): Promise<T> => {
    const pending = Number((await provider.send('txpool_status', [])).pending)
    if (pending > 0) await network.chain.mine()
    return condition(signal)
  }
}

/** Replaces the last blocks by empty ones, as if they had never been, and waits until discovery has seen it. */
async function dropBlocks(depth: number): Promise<void> {
  const first = (await network.chain.head()) - depth + 1
  await untilSeenByDiscovery(first, async () => {
    await provider.send('anvil_reorg', [depth, []])
  })
}

/** What discovery has as the hash of a block; undefined while it has no such block. */
async function hashOf(block: number, signal?: AbortSignal): Promise<string | undefined> {
  const answer = await fetch(`${network.urls.discovery}/v1/blocks/${block}`, signal ? { signal } : {})
  return answer.ok ? ((await answer.json()) as { hash: string }).hash : undefined
}

/** Changes the chain from a block on, and waits until discovery has another one there, or none. */
async function untilSeenByDiscovery(first: number, change: () => Promise<void>): Promise<void> {
  const before = await hashOf(first)
  await change()
  await network.eventually((signal) => hashOf(first, signal), {
    describe: `another block ${first} in discovery`,
    deadlineMs: 20_000,
    until: (hash) => hash !== before,
  })
}

async function appliedIn(hash: string): Promise<ActionStatus> {
  const status = await network.eventually(
    mining((signal) => statusOf(hash, signal)),
    {
      describe: `action ${hash}, applied`,
      deadlineMs: 20_000,
      until: (answer) => answer?.status === 'applied',
    },
  )
  if (status === undefined) throw new Error('a status that was waited for is there')
  return status
}

test('a reorganisation that drops a publish action does not lose it: it is relayed again and applied', async () => {
  const file = await makeRecording(network.folder, { name: 'twice', seconds: 5, format: 'm4a' })
  const upload = await artist.upload(file)
  let hash: string | undefined
  const publishing = publishTrack(
    artist.connection,
    artist.account,
    upload,
    { title: 'Twice', artist: 'Test', licence: 'CC0-1.0', rightsHeld: true },
    {
      onSent(sent) {
        hash = sent
      },
    },
  )
  const action = await network.eventually(() => hash, {
    describe: 'the action at the relay',
    deadlineMs: 10_000,
  })
  const first = await appliedIn(action ?? '')
  const track = await publishing
  expect(track.last.block).toBe(first.block)
  const before = await commonStateHash(network)

  await dropBlocks(1)
  await appliedIn(track.last.digest)
  await network.chain.mine(4)
  const after = await commonStateHash(network)
  expect(after).not.toBe(before)
  const again = await readJson<typeof track>(`${network.urls.discovery}/v1/tracks/${track.id}`)
  expect(again).toMatchObject({ id: track.id, manifest: track.manifest, holders: track.holders })
  expect(again.last.digest).toBe(action)
  const [content = ''] = network.urls.content
  await network.eventually(
    (signal) => readJson<{ duty: number; held: number }>(`${content}/status`, signal),
    {
      describe: 'the track as the duty of its holder',
      deadlineMs: 10_000,
      until: ({ duty, held }) => duty === 1 && held === 1,
    },
  )
}, 90_000)

test('a reorganisation of two blocks takes both actions back and applies both again, in their order', async () => {
  const subject = userSubject(artist.account.address)
  const said = async (prev: string | null, name: string) =>
    writeAction(artist.connection, artist.account, { kind: 'user', subject, content: { prev, name } })
  const first = await said(null, 'First name')
  await appliedIn(first)
  const second = await said(first, 'Second name')
  await appliedIn(second)
  const [one, two] = [await statusOf(first), await statusOf(second)]
  expect(two?.block).toBeGreaterThan(one?.block ?? 0)

  await dropBlocks(2)
  await appliedIn(first)
  await appliedIn(second)
  await network.chain.mine(4)
  await commonStateHash(network)
  expect((await findUser(artist.connection, artist.account.address)).name).toBe('Second name')
}, 60_000)

/** What a content service makes of the chain that has never seen it before. */
async function stateHashOfFreshIndex(): Promise<string> {
  const port = await freePort()
  const fresh = startByHand(network, 'content-service-1', {
    ...{ PORT: String(port), METRICS_PORT: String(await freePort()), LIBP2P_PORT: '0' },
    DATA_DIR: `${network.folder}/fresh-${port}`,
  })
  try {
    const head = await network.chain.head()
    const { stateHash } = await network.eventually(
      (signal) => readJson<{ indexed: number; stateHash: string }>(`http://127.0.0.1:${port}/status`, signal),
      { describe: 'a fresh index', deadlineMs: 30_000, until: ({ indexed }) => indexed >= head },
    )
    return stateHash
  } finally {
    await fresh.close()
  }
}

test('a reorganisation of depth 12 while a track is published leaves the state of a fresh index, and the track', async () => {
  const file = await makeRecording(network.folder, { name: 'deep', seconds: 5, format: 'm4a' })
  const upload = await artist.upload(file)
  const publishing = artist.publish(upload, { title: 'Deep' })
  const answered = publishing.catch((error: unknown) => error)
  // In the pool, and in a block that nobody but the chain has seen for long.
  await network.eventually(async () => Number((await provider.send('txpool_status', [])).pending) > 0, {
    describe: 'the action in the pool',
    deadlineMs: 15_000,
  })
  await network.chain.mine(6)
  await provider.send('anvil_reorg', [12, []])
  await network.eventually(
    mining(async () => readJson<Track>(`${network.urls.discovery}/v1/tracks/${upload.subject}`)),
    { describe: 'the track that was published', deadlineMs: 30_000, until: ({ title }) => title === 'Deep' },
  )
  expect(await answered).toMatchObject({ title: 'Deep' })
  await network.chain.mine(4)
  expect(await commonStateHash(network)).toBe(await stateHashOfFreshIndex())
}, 120_000)

test('a chain that loses its last blocks gets the action again, and all agree with a fresh index', async () => {
  const newcomer = await newArtist(network)
  const { address } = newcomer.account
  const content = { prev: null, name: 'Said before the blocks were lost' }
  const hash = await writeAction(newcomer.connection, newcomer.account, {
    kind: 'user',
    subject: userSubject(address),
    content,
  })
  const { block = 0 } = await appliedIn(hash)
  await network.chain.mine(2)
  const lost = (await network.chain.head()) - block + 1
  await untilSeenByDiscovery(block, async () => {
    await provider.send('anvil_rollback', [lost])
    expect(await network.chain.head()).toBeLessThan(block)
  })
  // A shorter chain was seen, not only another one.
  expect(await hashOf(block)).toBeUndefined()
  await network.chain.mine(lost + 1)
  await appliedIn(hash)
  await network.chain.mine(4)
  expect(await commonStateHash(network)).toBe(await stateHashOfFreshIndex())
  expect((await findUser(newcomer.connection, address)).name).toBe(content.name)
}, 90_000)
