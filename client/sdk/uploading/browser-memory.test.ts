import { describe, expect, test } from '@jest/globals'
import { subject } from '../fixtures/index.ts'
import { browserMemory } from './index.ts'

/** As the localStorage of a browser. */
function webStorage(): Parameters<typeof browserMemory>[0] {
  const items = new Map<string, string>()
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, String(value)),
    removeItem: (key) => void items.delete(key),
    key: (index) => [...items.keys()][index] ?? null,
    get length() {
      return items.size
    },
  }
}

const saved = { subject, node: 'https://n.example', url: 'https://n.example/uploads/1' }

describe('the memory of a page', () => {
  test('outlives the page', async () => {
    const storage = webStorage()
    storage.setItem('of somebody else', 'x')
    await browserMemory(storage).save('one', saved)
    await browserMemory(storage).save('two', { ...saved, published: true })
    await browserMemory(storage).forget('one')
    await expect(browserMemory(storage).load('one')).resolves.toBeUndefined()
    await expect(browserMemory(storage).list?.()).resolves.toEqual([
      { key: 'two', saved: { ...saved, published: true } },
    ])
    expect(storage.getItem('of somebody else')).toBe('x')
  })

  test.each(['', 'null', '{"subject":"?"}', '{'])('begins anew from %j', async (text) => {
    const storage = webStorage()
    storage.setItem('hexachord upload one', text)
    await expect(browserMemory(storage).load('one')).resolves.toBeUndefined()
    await expect(browserMemory(storage).list?.()).resolves.toEqual([])
  })
})
