import { createHash } from 'node:crypto'
import { createRandom } from '../sample-music/random.ts'
import { minimise } from './minimise.ts'
import { mutate } from './mutate.ts'
import type { Input, Target } from './target.ts'

/** What a parser did that it must not do. */
export type Finding = {
  readonly target: string
  readonly seed: number
  readonly case: number
  /** The error, or what took too much. */
  readonly problem: string
  /** The smallest input that was found to do it. */
  readonly input: Input
}

export type TargetReport = {
  readonly target: string
  readonly cases: number
  /** Cases that were no refusals. */
  readonly accepted: number
  readonly finding: Finding | undefined
}

/** Processor time of one case; the slowest honest one takes a tenth. */
const defaultMostCpuMs = 1_500
/** By how much the process may grow in one case: far above 3 MiB of input, far below what a length field can claim. */
const mostGrowthKb = 384 * 1024

/** The input of a case; it follows from target, seed and number alone. The first cases are the seeds as they are. */
export function inputOf(target: Target, seed: number, number: number): Input {
  const known = target.seeds[number]
  if (known !== undefined) return known
  const digest = createHash('sha256').update(`${target.name} ${seed} ${number}`).digest()
  return mutate(target.seeds, createRandom(digest.readUInt32BE(0)))
}

/** Runs cases until one fails.
 * @param options.goesOn asked before each case with its number
 * @param options.mostCpuMs processor time that a case may take. @default 1.5 s */
export async function fuzzTarget(
  target: Target,
  options: { seed: number; from?: number; mostCpuMs?: number; goesOn: (number: number) => boolean },
): Promise<TargetReport> {
  const { seed, from = 0, mostCpuMs = defaultMostCpuMs, goesOn } = options
  let accepted = 0
  let number = from
  for (; goesOn(number); number++) {
    const input = inputOf(target, seed, number)
    const outcome = await tryInput(target, input, mostCpuMs)
    if (outcome === 'accepted') accepted += 1
    const problem = typeof outcome === 'object' ? outcome.problem : wrongRefusal(target, number, outcome)
    if (problem === undefined) continue
    const smallest = await minimise(input, async (smaller) => {
      const again = await tryInput(target, smaller, mostCpuMs)
      return typeof again === 'object' && kindOf(again.problem) === kindOf(problem)
    })
    return {
      target: target.name,
      cases: number + 1 - from,
      accepted,
      finding: { target: target.name, seed, case: number, problem, input: smallest },
    }
  }
  return { target: target.name, cases: number - from, accepted, finding: undefined }
}

type Outcome = 'accepted' | 'refused' | { problem: string }

async function tryInput(target: Target, input: Input, mostCpuMs: number): Promise<Outcome> {
  const before = { cpu: process.threadCpuUsage(), kb: process.resourceUsage().maxRSS }
  const outcome = await readInput(target, input)
  const { user, system } = process.threadCpuUsage(before.cpu)
  // To fill memory takes time, too, and it is the memory that tells what is wrong.
  const grownKb = process.resourceUsage().maxRSS - before.kb
  if (grownKb > mostGrowthKb)
    return { problem: `memory: the process grew by ${Math.round(grownKb / 1024)} MB` }
  const cpuMs = (user + system) / 1000
  if (cpuMs > mostCpuMs) return { problem: `slow: it took ${Math.round(cpuMs)} ms of processor time` }
  return outcome
}

async function readInput(target: Target, input: Input): Promise<Outcome> {
  try {
    await target.read(input)
    return 'accepted'
  } catch (error) {
    if (target.refuses(error)) return 'refused'
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return { problem: text.split('\n').slice(0, 12).join('\n').slice(0, 2_000) }
  }
}

function wrongRefusal(target: Target, number: number, outcome: 'accepted' | 'refused'): string | undefined {
  return outcome === 'refused' && number < target.seeds.length
    ? `refused: seed ${number} of the corpus is not taken any more`
    : undefined
}

function kindOf(problem: string): string {
  return /^\w+/.exec(problem)?.[0] ?? ''
}
