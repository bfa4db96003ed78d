import { expect } from '@jest/globals'
import type { Heard } from './page/messages.ts'

/** That sound was decoded all the time, and nothing else was heard: no gap, no wait, no error. */
export function expectSound(heard: Heard): void {
  expect(heard).toMatchObject({ interruptions: [], errors: [], gaps: [] })
  // Test recordings are chords at 0.6 of full scale or, where they beat, a good part of that.
  expect(heard.loudest).toBeGreaterThan(0.2)
  expect(heard.looks).toBeGreaterThan(0)
  expect(heard.silentLooks).toBe(0)
  expect(heard.decodedBytes).toBeGreaterThan(10_000)
}
