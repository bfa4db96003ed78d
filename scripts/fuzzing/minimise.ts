import type { Input } from './target.ts'

/** Tries that one minimisation makes at most. */
const mostTries = 400
/** What is slow is tried a few times only. */
const mostMs = 3_000

/** A smaller input that fails, too: what can be left out is left out, in halves, quarters and so on. */
export async function minimise<T extends Input>(
  input: T,
  fails: (smaller: Input) => Promise<boolean>,
): Promise<Input> {
  let smallest: Input = input
  let tries = 0
  const untilMs = performance.now() + mostMs
  for (let size = Math.ceil(input.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < smallest.length && tries < mostTries && performance.now() < untilMs; ) {
      tries += 1
      const without = leaveOut(smallest, at, size)
      if (await fails(without)) smallest = without
      else at += size
    }
  }
  return smallest
}

function leaveOut(input: Input, at: number, length: number): Input {
  if (typeof input === 'string') return input.slice(0, at) + input.slice(at + length)
  return new Uint8Array(Buffer.concat([input.subarray(0, at), input.subarray(at + length)]))
}
