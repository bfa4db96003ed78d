import { Redis } from 'ioredis'
import { contentName, creatorName, discoveryName, type LocalNetwork } from '../local-network/index.ts'
import { pause } from '../local-network/pause.ts'
import { reasonOf, type Tally } from './tally.ts'

export type DisturbanceOptions = {
  readonly network: LocalNetwork
  readonly tally: Tally
  readonly random: () => number
  /** Between two disturbances, on average. */
  readonly everyMs: number
  /** Until then every node is killed now and then; later only those of `mortal`. @default for ever */
  readonly allMortalUntilMs: number
  /** ms since the beginning of the run. */
  readonly elapsedMs: () => number
  readonly ending: AbortSignal
}

/** These are killed to the end; the others live on, so that it can be seen how they age. */
const mortal = [contentName(1), contentName(2)]
const longestAbsenceMs = 4_000
const tries = 3

/** Kills and restarts nodes, empties Redis, and lets operators come and go, until the run ends; then everyone who was
 * away is back. */
export async function disturb(options: DisturbanceOptions): Promise<void> {
  const { network, tally, random, ending } = options
  let visitor: string | undefined

  async function kill(name: string): Promise<void> {
    await network.processes.kill(name)
    await pause(random() * longestAbsenceMs, ending)
    await bringBack(name)
    tally.count(`kill -9 of ${kindOf(name)}`)
  }

  /** On a machine that is busy with other things a start may take too long; a supervisor would try again. */
  async function bringBack(name: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await network.processes.restart(name)
      } catch (error) {
        if (attempt === tries) throw error
        tally.count('starts tried again')
      }
    }
  }

  async function join(): Promise<void> {
    const { name } = await network.addContentService()
    visitor = name
    tally.count('operators joined')
  }

  async function leave(name: string): Promise<void> {
    await network.retireContentService(name)
    visitor = undefined
    // Its copies are wanted until others have them.
    await pause(longestAbsenceMs * 2, ending)
    await network.processes.stop(name)
    tally.count('operators left')
  }

  async function flushRedis(): Promise<void> {
    const redis = new Redis(network.urls.redis, { maxRetriesPerRequest: 1 })
    try {
      await redis.flushall()
    } finally {
      redis.disconnect()
    }
    tally.count('Redis emptied')
  }

  async function disturbOnce(): Promise<void> {
    const chance = random()
    if (chance < 0.2) return visitor === undefined ? join() : leave(visitor)
    if (chance < 0.25) return flushRedis()
    const early = options.elapsedMs() < options.allMortalUntilMs
    const victims = early ? [...mortal, contentName(0), creatorName, discoveryName] : mortal
    const victim = victims[Math.floor(random() * victims.length)]
    if (victim !== undefined) await kill(victim)
  }

  while (await pause(options.everyMs * (0.5 + random()), ending)) {
    try {
      await disturbOnce()
    } catch (error) {
      tally.fault('disturbances that went wrong', reasonOf(error))
    }
  }
}

function kindOf(name: string): string {
  return name.replace(/-\d+$/, '')
}
