import type { Json } from '@hexachord/protocol/canonical'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { createStateMemory, type StateMemory } from './state-memory.ts'

let memory: StateMemory

beforeEach(() => {
  memory = createStateMemory({ isEmpty: true })
})

function change(key: string, before: Json, after: Json): void {
  memory.change(new Map([[key, { before, after, afterText: JSON.stringify(after) }]]))
}

describe('what a writer still knows of the state', () => {
  test('is the last value of a subject', () => {
    change('subject/a', null, { title: 'one' })
    change('subject/a', { title: 'one' }, { title: 'two' })
    expect(memory.find('subject/a')).toEqual({ title: 'two' })
  })

  test('is that keys are absent which nobody has made', () => {
    change('subject/a', null, 1)
    expect(memory.find('subject/b')).toBeNull()
    expect(memory.find('save/a/b')).toBeNull()
  })

  test('is nothing of what was removed, of marks, of long values, and after it was told to forget', () => {
    change('subject/a', null, 1)
    change('subject/a', 1, null)
    change('save/a/b', null, { on: true })
    change('subject/long', null, 'x'.repeat(3_000))
    change('subject/c', null, 1)
    memory.forget()
    for (const key of ['subject/a', 'save/a/b', 'subject/long', 'subject/c']) {
      expect(memory.find(key)).toBeUndefined()
    }
  })

  test('is nothing of a short value that has become long', () => {
    change('subject/a', null, 'short')
    change('subject/a', 'short', 'x'.repeat(3_000))
    expect(memory.find('subject/a')).toBeUndefined()
  })

  test('is no absence where the state was not empty', () => {
    memory = createStateMemory({ isEmpty: false })
    expect(memory.find('subject/a')).toBeUndefined()
    memory.learn('subject/a', 1, 1)
    expect(memory.find('subject/a')).toBe(1)
  })

  test('is right however many values there are, and most of those that were used last', () => {
    for (let number = 0; number < 50_000; number += 1) change(`subject/${number}`, null, number)
    const found = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => memory.find(`subject/${from + index}`))
    expect(found(49_000, 50_000)).toEqual(Array.from({ length: 1_000 }, (_, index) => 49_000 + index))
    expect(found(0, 50_000).every((value, number) => value === undefined || value === number)).toBe(true)
  })
})
