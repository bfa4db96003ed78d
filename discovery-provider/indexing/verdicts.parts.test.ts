import { type Address, subjectOf, userSubject } from '@hexachord/protocol/names'
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '../fixtures/database.ts'
import { actedLog, operators, trackContent, updatedLogOfBytes } from '../fixtures/synthetic-network.ts'
import { createTestIndex, published, type TestIndex } from '../fixtures/test-index.ts'

// Databases are made and dropped on machines that do other things as well.
jest.setTimeout(60_000)

const guido: Address = `0x${'a1'.repeat(20)}`
const hilda: Address = `0x${'b2'.repeat(20)}`
const track = subjectOf(guido, 7n)

let database: TestDatabase
let catalogue: TestIndex
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  catalogue = await createTestIndex(database)
})

describe('an action that breaks a rule', () => {
  test('is recorded with its reason, and changes nothing', async () => {
    await catalogue.put(await published(track))
    const bare = { ...((await trackContent(track, { prev: null })) as object), receipts: [] }
    const before = await catalogue.rows('state')
    await catalogue.put(
      actedLog({
        author: guido,
        signer: hilda,
        kind: 'delete',
        subject: track,
        content: { prev: await catalogue.digestOf(track) },
      }),
      actedLog({ author: guido, kind: 'track', subject: subjectOf(guido, 10n), content: bare }),
      await published(track),
      actedLog({
        author: hilda,
        kind: 'user',
        subject: userSubject(hilda),
        content: { prev: null, handel: 'x' },
      }),
      actedLog({ author: hilda, kind: 60_000, subject: userSubject(hilda), content: { prev: null } }),
    )
    const verdicts = await catalogue.lastVerdicts(5)
    expect(verdicts.map(({ verdict }) => verdict)).toEqual([
      'notAuthorised',
      'missingReceipts',
      'stalePrev',
      'malformed',
      'unknownKind',
    ])
    for (const { reason } of verdicts) expect(reason?.length).toBeGreaterThan(10)
    expect(await catalogue.rows('state')).toEqual(before)
  })

  test('loses a handle to who came first, in one block too', async () => {
    const claim = (author: Address) =>
      actedLog({ author, kind: 'user', subject: userSubject(author), content: { prev: null, handle: 'ut' } })
    catalogue.chain.mine([claim(hilda), claim(guido)])
    await catalogue.catchUp()
    expect(await catalogue.lastVerdicts(2)).toMatchObject([
      { verdict: 'applied' },
      { verdict: 'handleTaken', reason: expect.stringContaining(hilda) },
    ])
    expect(await catalogue.rows('profile')).toMatchObject([{ id: hilda, handle: 'ut' }])
  })
})

describe('what strangers may write', () => {
  const strange: [string, Uint8Array | string][] = [
    ['a NUL byte', new Uint8Array([0x7b, 0x22, 0, 0x22])],
    ['a NUL that is escaped', '{"name":"a\\u0000b","prev":null}'],
    ['a key with NUL', '{"a\\u0000b":1,"prev":null}'],
    ['bytes that are no text', new Uint8Array([0xff, 0xfe, 0x80])],
    ['half of a surrogate pair', '{"name":"\\ud800","prev":null}'],
    ['a very long unknown key', `{"prev":null,"${'\u{1f3b5}'.repeat(1000)}":1}`],
    ['nothing', ''],
    ['deep nesting', '['.repeat(4096) + ']'.repeat(4096)],
  ]
  test.each(strange)('cannot stop the index: %s', async (_, content) => {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    const subject = userSubject(hilda)
    await catalogue.put(actedLog({ author: hilda, kind: 'user', subject, content: bytes }))
    expect(await catalogue.lastVerdicts(1)).toMatchObject([{ verdict: 'malformed' }])
  })

  test('cannot stop the index: an endpoint that is no text', async () => {
    const [operator] = operators
    if (!operator) throw new Error('three operators')
    await catalogue.put(updatedLogOfBytes(operator, new Uint8Array([0xff, 0x00, 0x41])))
    expect(catalogue.index.checkpoint.indexed).toBe(catalogue.chain.head)
  })

  test('comes back as it was: letters of every plane, the largest nonce', async () => {
    const name = 'e\u0301 \u{1f3b6} \u202Eזמר ﷽ \\ " \' %'
    const subject = userSubject(hilda)
    const content = { prev: null, name, bio: 'one\n\ntwo\t'.trimEnd() }
    const nonce = 2n ** 256n - 1n
    await catalogue.put(actedLog({ author: hilda, kind: 'user', subject, content, nonce }))
    expect(await catalogue.rows('profile')).toMatchObject([{ name, bio: 'one\n\ntwo' }])
    expect(await catalogue.rows('action')).toMatchObject([{ nonce: nonce.toString() }])
  })
})
