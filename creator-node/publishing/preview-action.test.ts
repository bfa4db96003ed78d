import { type Action, actionHash, delegationKey, kinds } from '@hexachord/protocol/actions'
import { encodeCanonicalJson, type Json } from '@hexachord/protocol/canonical'
import { rulesOf } from '@hexachord/protocol/catalogue'
import { type Address, userSubject } from '@hexachord/protocol/names'
import { describe, expect, test } from '@jest/globals'
import { previewAction, problemOfVerdict } from './preview-action.ts'

const author: Address = `0x${'a1'.repeat(20)}`
const friend: Address = `0x${'b2'.repeat(20)}`
const key: Address = `0x${'f1'.repeat(20)}`
const nowMs = 1_800_000_000_000
const rules = rulesOf({
  ...{ chainId: 31_337, finalityBlocks: 2, epochBlocks: 16, bytesPerToken: '1', minimumStakeWei: '1' },
  contracts: {
    catalog: `0x${'0a'.repeat(20)}`,
    operatorRegistry: `0x${'0b'.repeat(20)}`,
    stakeVault: `0x${'0c'.repeat(20)}`,
  },
})

/** What the author has let a key do. */
function preview(scopes: string[], content: Json, kind: number = kinds.follow.number) {
  const delegation = { scopes, expiresAtMs: nowMs + 60_000, controller: author, setAtMs: 0, atMs: 1 }
  const entries = new Map<string, Json>([[delegationKey(author, key), delegation]])
  const catalogue = {
    entry: (name: string) => entries.get(name),
    operatorsAt: () => new Map(),
    indexed: () => 9,
    rules,
  }
  const fields = { signer: key, author, nonce: 1n, kind, subject: userSubject(author) }
  const action: Omit<Action, 'hash'> = { ...fields, content: encodeCanonicalJson(content) }
  return previewAction(catalogue, { hash: actionHash(action), ...action }, nowMs)
}

describe('an action of a delegated key', () => {
  const follow = { user: friend, on: true, atMs: nowMs }

  test('is relayed within its scope', () => {
    expect(problemOfVerdict(preview(['follow'], follow))).toBeUndefined()
  })

  test('is refused outside of it, with the reason that indexers would give', () => {
    const problem = problemOfVerdict(preview(['save'], follow))
    expect(problem).toMatchObject({ status: 403, slug: 'not-authorised' })
    expect(problem?.message).toContain('but not: follow')
    const rotation = { prev: null, controller: key }
    expect(problemOfVerdict(preview(['follow'], rotation, kinds.rotate.number))).toMatchObject({
      status: 403,
    })
  })

  test('is refused when its clock is far ahead of the chain', () => {
    expect(problemOfVerdict(preview(['follow'], { ...follow, atMs: nowMs + 9_000_000 }))).toMatchObject({
      status: 400,
      slug: 'ahead',
    })
  })
})
