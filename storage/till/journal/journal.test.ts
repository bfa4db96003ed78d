import { appendFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createLogger } from '@hexachord/platform/process'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { eventually } from '../../ipfs/fixtures/eventually.ts'
import { readFrames } from './frames.ts'
import { JournalForeign, openJournal } from './index.ts'
import type { JournalOptions } from './journal.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
const header = 'a till of tests'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'journal-'))
})
afterEach(() => rm(directory, { recursive: true }))

const fileIn = (folder: string) => join(folder, 'till.journal')

/** A journal of a list of words. */
async function openWords(folder = directory, options: Partial<JournalOptions> = {}) {
  const words: string[] = []
  const journal = await openJournal({
    ...{ directory: folder, header, logger, ...options },
    replay: (word) => words.push(word),
    snapshot: () => words,
  })
  const add = (word: string) => {
    words.push(word)
    journal.append(word)
  }
  return { ...journal, words, add }
}

/** A journal of which only the last three words count. */
async function openLastWords(options: Partial<JournalOptions>) {
  const kept: string[] = []
  const journal = await openJournal({
    ...{ directory, header, logger, ...options },
    replay: () => undefined,
    snapshot: () => kept.slice(-3),
  })
  /** @returns how long it is with one word more */
  const add = async () => {
    kept.push(`word ${kept.length}`)
    journal.append(kept.at(-1) ?? '')
    await journal.durable()
    return journal.syncedBytes()
  }
  return { ...journal, kept, add }
}

describe('a journal', () => {
  test('has everything again after it was closed, in order', async () => {
    const first = await openWords()
    for (const word of ['one', 'two', 'drei 🎵']) first.add(word)
    await first.durable()
    first.add('four')
    await first.close()
    const second = await openWords()
    expect(second.words).toEqual(['one', 'two', 'drei 🎵', 'four'])
    await second.close()
  })

  test('writes once for all that wait', async () => {
    const journal = await openWords()
    const before = journal.syncedBytes()
    journal.add('one')
    const one = journal.durable()
    journal.add('two')
    const two = journal.durable()
    expect(journal.syncedBytes()).toBe(before)
    await one
    expect((await stat(fileIn(directory))).size).toBe(before + 2 * (8 + 3))
    await two
    await expect(journal.durable()).resolves.toBeUndefined()
    await journal.close()
  })

  test('waits for those who come, and for nobody else', async () => {
    let coming = 1
    const journal = await openWords(directory, { gatheringMs: 3_600_000, isMoreComing: () => coming > 0 })
    const before = journal.syncedBytes()
    journal.add('one')
    const one = journal.durable()
    await nextTurn()
    coming = 0
    journal.add('two')
    await one
    expect(journal.syncedBytes()).toBe(before + 2 * (8 + 3))
    journal.add('six')
    await journal.durable()
    await journal.close()
  })

  test('stays short: it is written anew from what still counts', async () => {
    const { kept, add, ...journal } = await openLastWords({ rewriteBytes: 2_000 })
    for (let turn = 0; turn < 3; turn += 1) {
      await eventually(add, (bytes) => bytes > 1_500)
      await eventually(add, (bytes) => bytes < 1_500)
    }
    await journal.close()
    expect((await stat(fileIn(directory))).size).toBe(journal.syncedBytes())
    const { words, close } = await openWords()
    expect(words.slice(-3)).toEqual(kept.slice(-3))
    await close()
  })

  test('loses and doubles nothing while it is written anew, whenever it is left', async () => {
    const journal = await openWords(directory, { rewriteBytes: 500 })
    const inode = async () => (await stat(fileIn(directory))).ino
    const files = new Set([await inode()])
    for (let word = 0; word < 3_000; word += 1) {
      journal.add(`word ${word}`)
      // Some are added while others are written.
      if (word % 3 === 0) await nextTurn()
      if (word % 10 > 0) continue
      await journal.durable()
      if (word % 100 > 0) continue
      const durable = journal.words.length
      const left: string[] = []
      readFrames(await readFile(fileIn(directory)), (text) => left.push(text))
      expect(left.length).toBeGreaterThan(durable)
      expect(left).toEqual([header, ...journal.words.slice(0, left.length - 1)])
      files.add(await inode())
    }
    expect(files.size).toBeGreaterThan(1)
    await journal.close()
    const again = await openWords()
    expect(again.words).toEqual(journal.words)
    await again.close()
  })

  test('goes on as it is where a shorter one cannot be written, and tries that again', async () => {
    const warnings: unknown[] = []
    const { kept, add, close } = await openLastWords({
      rewriteBytes: 500,
      logger: { ...logger, warn: (line: unknown) => warnings.push(line) },
    })
    const inTheWay = `${fileIn(directory)}.new`
    await mkdir(inTheWay)
    await eventually(add, () => warnings.length > 1)
    const words: string[] = []
    readFrames(await readFile(fileIn(directory)), (word) => words.push(word))
    expect(words).toEqual([header, ...kept])
    await rm(inTheWay, { recursive: true })
    await eventually(add, (bytes) => bytes < 500)
    await close()
  })

  test('of another till is refused, and not touched', async () => {
    await (await openWords()).close()
    const before = await readFile(fileIn(directory))
    await expect(openWords(directory, { header: 'another till' })).rejects.toThrow(JournalForeign)
    expect(await readFile(fileIn(directory))).toEqual(before)
  })

  test('of which the first record is damaged is refused, and not touched', async () => {
    const journal = await openWords()
    journal.add('one')
    await journal.close()
    const bytes = await readFile(fileIn(directory))
    bytes.writeUInt8(bytes.readUInt8(10) ^ 1, 10)
    await writeFile(fileIn(directory), bytes)
    await expect(openWords()).rejects.toThrow(JournalForeign)
    expect(await readFile(fileIn(directory))).toEqual(bytes)
  })

  test('keeps beside it what it cuts off, which may be more than was torn', async () => {
    const journal = await openWords()
    for (const word of ['one', 'two', 'three']) journal.add(word)
    await journal.close()
    const bytes = await readFile(fileIn(directory))
    const damagedAt = bytes.indexOf('two')
    bytes.write('x', damagedAt)
    await writeFile(fileIn(directory), bytes)
    const again = await openWords()
    expect(again.words).toEqual(['one'])
    await again.close()
    const cutAt = damagedAt - 8
    expect(await readFile(`${fileIn(directory)}.torn-at-${cutAt}`)).toEqual(bytes.subarray(cutAt))
  })

  test('loses nothing that was durable, wherever a loss of power cuts it off', async () => {
    const { journal, known } = await writeInRounds()
    const bytes = await readFile(fileIn(directory))
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.uint8Array({ maxLength: 20 }), (cut, garbage) => {
        // What was written after the last sync may have come to the disk in any form.
        const words: string[] = []
        readFrames(Buffer.concat([bytes.subarray(0, cut), garbage]), (word) => words.push(word))
        const durable = known.findLast((one) => one.bytes <= cut)?.words ?? 0
        if (durable > 0) expect(words.length - 1).toBeGreaterThanOrEqual(durable)
        expect([header, ...journal.words].slice(0, words.length)).toEqual(words)
      }),
      { numRuns: 500 },
    )
  })

  test('goes on behind what was whole, and never reads what was torn', async () => {
    const { journal } = await writeInRounds()
    await truncate(fileIn(directory), (await stat(fileIn(directory))).size - 3)
    await appendFile(fileIn(directory), 'garbage')
    const again = await openWords()
    expect(again.words).toEqual(journal.words.slice(0, -1))
    again.add('on')
    await again.close()
    const last = await openWords()
    expect(last.words).toEqual([...journal.words.slice(0, -1), 'on'])
    await last.close()
  })

  test('that was not closed ends in zeros, which are nobody’s', async () => {
    const warnings: unknown[] = []
    const first = await openWords()
    for (let word = 0; word < 40; word += 1) {
      first.add(`${word} ${'x'.repeat(5_000)}`)
      await first.durable()
    }
    const left = await eventually(
      () => readFile(fileIn(directory)),
      (bytes) => bytes.length > first.syncedBytes(),
    )
    expect(left.subarray(first.syncedBytes()).every((byte) => byte === 0)).toBe(true)
    for (let word = 0; word < 10; word += 1) first.add(`between ${word}`)
    await first.close()
    expect((await stat(fileIn(directory))).size).toBe(first.syncedBytes())

    await writeFile(fileIn(directory), left)
    const second = await openWords(directory, {
      logger: { ...logger, warn: (line: unknown) => warnings.push(line) },
    })
    expect([second.words.length, warnings]).toEqual([40, []])
    second.add('on')
    await second.close()
    const last = await openWords()
    expect(last.words).toEqual([...first.words.slice(0, 40), 'on'])
    await last.close()
  })

  /** @returns after each round, how long the file was for certain and how many words were in it */
  async function writeInRounds() {
    const journal = await openWords()
    const known: { bytes: number; words: number }[] = []
    for (let round = 0; round < 4; round += 1) {
      for (let word = 0; word <= round; word += 1) journal.add(`${round} ${'x'.repeat(word * 7)}`)
      await journal.durable()
      known.push({ bytes: journal.syncedBytes(), words: journal.words.length })
    }
    await journal.close()
    return { journal, known }
  }

  test('that was left while it was written anew is the one before', async () => {
    const journal = await openWords()
    journal.add('one')
    await journal.close()
    await writeFile(`${fileIn(directory)}.new`, 'half of a')
    const again = await openWords()
    expect(again.words).toEqual(['one'])
    await again.close()
  })
})
