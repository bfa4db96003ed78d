import { createLogger } from '@hexachord/platform/process'
import { canMountDisks, mountSmallDisk, type SmallDisk } from '@hexachord/platform/testing'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { JournalFull, openJournal } from './index.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const onSmallDisks = canMountDisks ? test : test.skip

let disk: SmallDisk | undefined
beforeAll(async () => {
  if (canMountDisks) disk = await mountSmallDisk(1024 * 1024)
})
afterAll(() => disk?.remove())

onSmallDisks('a full disk is told of at once, and what waited is kept until there is room', async () => {
  if (disk === undefined) throw new Error('no disk')
  const words: string[] = []
  const open = (onto: string[]) =>
    openJournal({
      ...{ directory: disk?.path ?? '', header: 'h', logger, retryMs: 10 },
      replay: (word) => onto.push(word),
      snapshot: () => words,
    })
  const journal = await open([])
  const add = (word: string) => {
    words.push(word)
    journal.append(word)
  }
  add('before')
  await journal.durable()
  await disk.fill()
  const large = 'x'.repeat(10_000)
  add(large)
  await expect(journal.durable()).rejects.toThrow(JournalFull)
  expect(() => journal.requireRoom()).toThrow(JournalFull)
  await expect(journal.durable()).rejects.toThrow(JournalFull)

  await disk.empty()
  const deadline = Date.now() + 5_000
  for (;;) {
    try {
      journal.requireRoom()
      break
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  add('after')
  await journal.durable()
  await journal.close()
  const again: string[] = []
  await (await open(again)).close()
  expect(again).toEqual(['before', large, 'after'])
})
