import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { askTogether } from './ask-together.ts'

/** A table of numbers and their squares, whose statements end when they are told to. */
function slowTable() {
  const statements: { keys: readonly number[]; end(): void; fail(): void }[] = []
  const read = (keys: readonly number[]) =>
    new Promise<Map<number, number>>((resolve, reject) => {
      const rows = keys.flatMap((key) => (key < 0 ? [] : [[key, key * key] as const]))
      const end = () => resolve(new Map(rows))
      statements.push({ keys, end, fail: () => reject(new Error('the table is away')) })
    })
  return { statements, read }
}
const soon = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))

describe('those who ask at one moment', () => {
  test('are answered by one statement, and nothing is read twice', async () => {
    const { statements, read } = slowTable()
    const ask = askTogether({ read, atMost: 10 })
    const answers = Promise.all([ask(2), ask(3), ask(2), ask(-1)])
    await soon()
    expect(statements.map(({ keys }) => keys)).toEqual([[2, 3, -1]])
    statements[0]?.end()
    expect(await answers).toEqual([4, 9, 4, undefined])
  })

  test('never get what was read before they asked', async () => {
    const { statements, read } = slowTable()
    const ask = askTogether({ read, atMost: 10 })
    const first = ask(2)
    await soon()
    const second = ask(2)
    await soon()
    expect(statements).toHaveLength(2)
    for (const { end } of statements) end()
    expect(await Promise.all([first, second])).toEqual([4, 4])
  })

  test('wait while two statements run, and then share the next ones', async () => {
    const { statements, read } = slowTable()
    const ask = askTogether({ read, atMost: 2 })
    const asked: Promise<number | undefined>[] = []
    for (const key of [1, 2, 3, 4, 5]) {
      asked.push(ask(key))
      await soon()
    }
    expect(statements.map(({ keys }) => keys)).toEqual([[1], [2]])
    statements[0]?.end()
    await soon()
    expect(statements.map(({ keys }) => keys)).toEqual([[1], [2], [3, 4]])
    for (const { end } of statements) end()
    await soon()
    statements.at(-1)?.end()
    expect(await Promise.all(asked)).toEqual([1, 4, 9, 16, 25])
  })

  test('hear of a failure, and the next ones are answered', async () => {
    const { statements, read } = slowTable()
    const ask = askTogether({ read, atMost: 10 })
    const failed = Promise.allSettled([ask(1), ask(2)])
    await soon()
    statements[0]?.fail()
    expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    const next = ask(3)
    await soon()
    statements[1]?.end()
    expect(await next).toBe(9)
  })

  test('are all answered, with their own, whoever comes when', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -3, max: 20 }), { maxLength: 60 }), async (keys) => {
        const read = async (asked: readonly number[]) => new Map(asked.map((key) => [key, key * key]))
        const ask = askTogether({ read, atMost: 4 })
        const answers = []
        for (const key of keys) {
          answers.push(ask(key))
          if (key < 0) await soon()
        }
        expect(await Promise.all(answers)).toEqual(keys.map((key) => key * key))
      }),
      { numRuns: 50 },
    )
  })
})
