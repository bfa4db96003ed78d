import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeTestTrack } from '../tracks/fixtures/index.ts'
import {
  paymentSignature,
  post,
  reportIn,
  startTill,
  type TestListener,
  testListener,
  testPrice,
} from './fixtures/index.ts'

const program = fileURLToPath(new URL('fixtures/serve-till.ts', import.meta.url))
const units = 80

let directory: string
let manifest: string
let segments: string[]
let child: ChildProcess | undefined
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'till-killed-'))
  const track = await makeTestTrack({ segments: units, segmentBytes: 500 })
  const server = await startTill({ directory, track })
  segments = Array.from({ length: units }, (_, unit) => server.segment(unit))
  manifest = track.manifest
  await server.stop()
}, 30_000)
afterAll(async () => {
  if (child?.exitCode === null) child.kill('SIGKILL')
  await rm(directory, { recursive: true })
})

async function serve(): Promise<string> {
  child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, directory, manifest], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.stdout === null) throw new Error('no output')
  for await (const line of createInterface(child.stdout)) return line
  throw new Error('it ended at once')
}

async function kill(): Promise<void> {
  if (child === undefined) return
  const ended = child.signalCode === null ? once(child, 'exit') : undefined
  child.kill('SIGKILL')
  await ended
}

/** Somebody who hears the track from its beginning, and what was served to them. */
type Hearing = { listener: TestListener; session: string; served: Set<number>; next: number }

/** Pays unit after unit until the node is gone. */
async function hear(hearing: Hearing, origin: string, onServed: () => void): Promise<void> {
  const { listener, session, served } = hearing
  for (; hearing.next < units; hearing.next += 1) {
    const voucher = await listener.voucher(testPrice * BigInt(hearing.next + 1))
    const headers = { 'payment-signature': paymentSignature(session, voucher) }
    try {
      const response = await fetch(`${origin}/ipfs/${segments[hearing.next]}`, { headers })
      await response.arrayBuffer()
      if (response.status !== 200) throw new Error(`status ${response.status}`)
    } catch (error) {
      if (child?.killed) return
      throw error
    }
    served.add(hearing.next)
    onServed()
  }
}

test('whoever was served before kill -9 has paid for that once, and has it again for nothing', async () => {
  let origin = await serve()
  const hearings: Hearing[] = []
  for (let count = 0; count < 3; count += 1) {
    const listener = testListener()
    const { session } = await reportIn(await post(origin, '/pay/sessions', await listener.opening()))
    hearings.push({ listener, session, served: new Set(), next: 0 })
  }
  for (const killAfter of [10, 25]) {
    let servedNow = 0
    const all = hearings.map((hearing) =>
      hear(hearing, origin, () => {
        servedNow += 1
        if (servedNow === killAfter) child?.kill('SIGKILL')
      }),
    )
    await Promise.all(all)
    await kill()
    expect(servedNow).toBeGreaterThanOrEqual(killAfter)
    origin = await serve()
    for (const { listener, session, served } of hearings) {
      const report = await reportIn(await fetch(`${origin}/pay/sessions/${session}`))
      const { paidUnits, credit, channel } = report
      expect([...served].filter((unit) => !paidUnits.includes(unit))).toEqual([])
      // Nobody pays for more than one unit that did not come.
      expect(paidUnits.length - served.size).toBeLessThanOrEqual(1)
      expect(credit).toBe((channel.last?.cumulative ?? 0n) - testPrice * BigInt(paidUnits.length))
      expect(channel.payer).toBe(listener.address)
      for (const unit of [...served].slice(-2)) {
        expect((await fetch(`${origin}/ipfs/${segments[unit]}?s=${session}`)).status).toBe(200)
      }
      expect((await reportIn(await fetch(`${origin}/pay/sessions/${session}`))).credit).toBe(credit)
    }
  }
  await kill()
}, 60_000)
