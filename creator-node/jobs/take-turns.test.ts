import { openSqlite } from '@hexachord/platform/sqlite'
import type { Address } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { anUpload } from '../fixtures/an-upload.ts'
import { createUploadStore, uploadMigrations } from '../uploads/index.ts'
import { createTurns, inTurn } from './take-turns.ts'

const account = (letter: string): Address => `0x${letter.repeat(40)}`
const [a, b, c] = [account('a'), account('b'), account('c')]

describe('the order of those who wait', () => {
  const order = (queue: [string, Address][], underWork: [Address, number][] = []) =>
    inTurn(
      queue.map(([id, account]) => ({ id, account })),
      new Map(underWork),
    ).map(({ id }) => id)

  test('is one of each account in turn', () => {
    const queue: [string, Address][] = [
      ...[1, 2, 3].map((n): [string, Address] => [`a${n}`, a]),
      ...[1, 2].map((n): [string, Address] => [`b${n}`, b]),
      ['c1', c],
    ]
    expect(order(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
  })

  test('puts those behind who are worked for already', () => {
    expect(
      order(
        [
          ['a2', a],
          ['a3', a],
          ['b1', b],
          ['c1', c],
        ],
        [
          [a, 1],
          [c, 2],
        ],
      ),
    ).toEqual(['b1', 'a2', 'a3', 'c1'])
  })

  test('lets nobody wait for more than one upload of each other account and all its own', () => {
    const accounts = fc.array(fc.constantFrom(a, b, c), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(accounts, (queue) => {
        const ordered = inTurn(
          queue.map((account, n) => ({ id: String(n), account })),
          new Map(),
        )
        expect(ordered).toHaveLength(queue.length)
        for (const who of new Set(queue)) {
          expect(ordered.findIndex(({ account }) => account === who)).toBeLessThan(new Set(queue).size)
        }
      }),
    )
  })
})

describe('turns', () => {
  function queueOf(...accounts: Address[]) {
    let atMs = 0
    const database = openSqlite(':memory:', { migrations: uploadMigrations })
    const uploads = createUploadStore(database, () => ++atMs)
    for (const [n, account] of accounts.entries()) {
      uploads.add(anUpload({ id: `${n}`, account }))
      uploads.apply(`${n}`, 'received')
    }
    return uploads
  }

  test('are given as places become free', () => {
    const uploads = queueOf(a, a, a, b)
    const turns = createTurns({ uploads, places: 2 })
    expect(turns.next()).toEqual(['0', '3'])
    expect(turns.next()).toEqual([])
    expect([turns.ahead('0'), turns.ahead('1'), turns.ahead('2')]).toEqual([0, 2, 3])
    uploads.apply('3', 'started')
    uploads.apply('3', 'rendered')
    turns.end('3')
    expect(turns.next()).toEqual(['1'])
  })

  test('after a crash go to those first whose work it interrupted', () => {
    const uploads = queueOf(a, b, c)
    uploads.apply('2', 'started')
    const turns = createTurns({ uploads, places: 2 })
    expect(turns.inLine()).toEqual(['2', '0'])
    uploads.apply('0', 'cancelled')
    expect(turns.inLine()).toEqual(['2', '1'])
  })
})
