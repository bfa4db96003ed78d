import { userSubject } from '@hexachord/protocol/names'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { relay, signed } from '../network/direct-to-chain.ts'
import { refusalOf, refused } from '../network/problems.ts'
import { makeRecording } from '../network/recordings.ts'
import { type ServiceByHand, startByHand } from './by-hand.ts'
import { type FaultNetwork, startFaultNetwork } from './fault-network.ts'

let network: FaultNetwork
let artist: Artist
beforeAll(async () => {
  network = await startFaultNetwork({ contentServices: 1 })
  artist = await newArtist(network)
}, 60_000)
afterAll(() => network?.close())

let started: ServiceByHand | undefined
const stopped = new Set<string>()
const stop = async (name: string) => {
  stopped.add(name)
  await network.processes.stop(name)
}
const comeBack = async (name: string) => {
  await network.processes.restart(name)
  stopped.delete(name)
}
afterEach(async () => {
  await started?.close()
  started = undefined
  // Engines were stopped after the services that need them.
  for (const name of [...stopped].reverse()) await comeBack(name)
}, 60_000)

type Ready = { status: number; body: string }
const originOf = (name: string) =>
  ({
    'creator-node': network.urls.creator,
    'discovery-provider': network.urls.discovery,
    'content-service-1': network.urls.content[0] ?? '',
  })[name] ?? ''

async function ready(name: string, signal = AbortSignal.timeout(5_000)): Promise<Ready> {
  const response = await fetch(`${originOf(name)}/ready`, { signal })
  return { status: response.status, body: await response.text() }
}

/** Waits until the service says that it is ready. */
const untilReady = (name: string) =>
  network.eventually((signal) => ready(name, signal), {
    describe: `${name}, ready`,
    deadlineMs: 45_000,
    everyMs: 200,
    until: ({ status }) => status === 200,
  })

describe('a service that is started while something is missing', () => {
  test.each([
    ['creator-node', 'redis', /redis/i],
    ['creator-node', 'chain', /chain|rpc/i],
    ['content-service-1', 'chain', /chain|rpc/i],
    ['discovery-provider', 'chain', /chain|rpc/i],
    ['discovery-provider', 'postgres', /database|postgres|ECONNREFUSED/i],
  ])(
    '%s without %s says so, and goes on when it is there',
    async (service, missing, says) => {
      await stop(service)
      await stop(missing)
      started = startByHand(network, service)
      const by = started
      // It either waits, and says for what, or ends with a reason, for its supervisor to start it again.
      const said = await network.eventually(
        async (signal) => {
          if (by.exitCode() !== null) return { ended: by.exitCode(), body: by.log() }
          const { status, body } = await ready(service, signal)
          return status === 503 ? { ended: undefined, body } : undefined
        },
        { describe: `${service} that says what it misses`, deadlineMs: 30_000, everyMs: 100 },
      )
      expect(said?.body).toMatch(says)
      if (said?.ended !== undefined) {
        expect(said.ended).not.toBe(0)
        await by.close()
        await comeBack(missing)
        started = startByHand(network, service)
      } else {
        await comeBack(missing)
      }
      await untilReady(service)
    },
    90_000,
  )

  test.each(['creator-node', 'discovery-provider', 'content-service-1'])(
    '%s lists every mistake of its configuration at once, and ends',
    async (service) => {
      await stop(service)
      started = startByHand(network, service, { RPC_URL: 'nowhere', PORT: 'many', NETWORK_FILE: '' })
      const by = started
      await network.eventually(() => by.exitCode() !== null, { describe: 'its end', deadlineMs: 20_000 })
      expect(by.exitCode()).not.toBe(0)
      for (const name of ['RPC_URL', 'PORT', 'NETWORK_FILE']) expect(by.log()).toContain(name)
      expect(by.log()).not.toMatch(/\n\s+at .*node_modules/)
    },
    60_000,
  )

  test('content-service-1 on a port that is taken says which', async () => {
    const { port } = new URL(network.urls.creator)
    await stop('content-service-1')
    started = startByHand(network, 'content-service-1', { PORT: port })
    const by = started
    await network.eventually(() => by.exitCode() !== null, { describe: 'its end', deadlineMs: 20_000 })
    expect(by.exitCode()).not.toBe(0)
    expect(by.log()).toContain(port)
  }, 60_000)
})

describe('a service that loses something while it runs', () => {
  test('discovery without Postgres answers 503 with a problem, and answers again', async () => {
    const list = `${network.urls.discovery}/v1/tracks`
    await network.processes.kill('postgres')
    stopped.add('postgres')
    const refusal = await network.eventually(() => refused(list), {
      describe: 'a problem 503',
      deadlineMs: 20_000,
      until: ({ status }) => status === 503,
    })
    expect(refusal.problem).toBe('database-away')
    expect(refusal.headers.get('retry-after')).toMatch(/^\d+$/)
    expect((await ready('discovery-provider')).status).toBe(503)
    await comeBack('postgres')
    await untilReady('discovery-provider')
    expect((await fetch(list)).status).toBe(200)
    expect(network.processes.crashes()).toEqual([])
  }, 60_000)

  test('the chain away for a while stops no upload and no reading, and the action waits for it', async () => {
    const file = await makeRecording(network.folder, { name: 'patient', seconds: 4, format: 'm4a' })
    const upload = await artist.upload(file)
    await network.processes.kill('chain')
    stopped.add('chain')
    expect((await fetch(`${network.urls.discovery}/v1/tracks`)).status).toBe(200)
    const publishing = artist.publish(upload)
    const content = { prev: null, name: 'Somebody' }
    const action = await signed(artist, {
      kind: 'user',
      subject: userSubject(artist.account.address),
      content,
    })
    const refusal = await refusalOf(await relay(network.urls.creator, action, artist))
    expect(refusal).toMatchObject({ status: 503, problem: 'chain-away' })
    expect(refusal.headers.get('retry-after')).toMatch(/^\d+$/)
    await comeBack('chain')
    const track = await publishing
    expect(track.holders).toHaveLength(1)
    expect(network.processes.crashes()).toEqual([])
  }, 90_000)
})
