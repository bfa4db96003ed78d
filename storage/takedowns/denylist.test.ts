import { cidFromDigest, cidOf, parseCid } from '@hexachord/protocol/cids'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import { type DenylistPart, denylistLines, parseDenylist } from './denylist.ts'

const someCid = await cidOf(new TextEncoder().encode('a segment'), 'raw')
const otherCid = await cidOf(new TextEncoder().encode('another segment'), 'raw')

const nameOf = (cid: string) => base58btc.baseEncode(CID.parse(cid).multihash.bytes)

/** The same block by another codec. */
const asDagJson = (cid: string) => cidFromDigest(parseCid(cid).digest, 'dag-json')

describe('what a list says', () => {
  test('in names of a million letters is no rule, and holds nobody up', () => {
    const [long, startMs] = ['z'.repeat(1_000_000), performance.now()]
    expect(parseDenylist(`/ipfs/${long}\n//${long}\n/ipfs/k${long}\n`)).toMatchObject({ rules: 0, bad: 3 })
    expect(performance.now() - startMs).toBeLessThan(500)
  })

  test('about a block holds under every spelling of its name and every codec', () => {
    const parsed = CID.parse(someCid)
    const spellings = [someCid, parsed.toString(base36), parsed.toString(base58btc), nameOf(someCid)]
    for (const spelling of spellings) {
      const list = parseDenylist(`/ipfs/${spelling}`)
      expect([spelling, list.verdict(someCid), list.verdict(asDagJson(someCid))]).toEqual([
        spelling,
        'deny',
        'deny',
      ])
      expect(list.verdict(otherCid)).toBeUndefined()
    }
  })

  test('about everything below a block includes the block itself', () => {
    expect(parseDenylist(`/ipfs/${someCid}/*`).verdict(someCid)).toBe('deny')
    expect(parseDenylist(`/ipfs/${someCid}/`).verdict(someCid)).toBe('deny')
  })

  test('about a path below a block, or a name, is not about blocks', () => {
    const list = parseDenylist(
      [`/ipfs/${someCid}/a`, `/ipfs/${someCid}/a*`, '/ipns/domain.example', '/ipns/domain.example/b'].join(
        '\n',
      ),
    )
    expect(list).toMatchObject({ rules: 0, ignored: 4, bad: 0 })
    expect(list.verdict(someCid)).toBeUndefined()
  })

  test('last counts, whether it allows or denies', () => {
    expect(parseDenylist(`/ipfs/${someCid}\n!/ipfs/${nameOf(someCid)}`).verdict(someCid)).toBe('allow')
    expect(parseDenylist(`!/ipfs/${someCid}\n/ipfs/${someCid}/*`).verdict(someCid)).toBe('deny')
    const hidden = [...denylistLines({}, [{ cid: someCid, hidden: true, allow: true }])].at(-1)
    expect(parseDenylist(`/ipfs/${someCid}\n${hidden}`).verdict(someCid)).toBe('allow')
    expect(parseDenylist(`${hidden}/ipfs/${someCid}`).verdict(someCid)).toBe('deny')
  })

  test('may be followed by hints, which are for others', () => {
    const list = parseDenylist(`/ipfs/${someCid} gateway_status:451 reason:none`)
    expect(list).toMatchObject({ rules: 1, bad: 0 })
    expect(list.verdict(someCid)).toBe('deny')
  })
})

describe('the examples of the specification', () => {
  test('are all understood', () => {
    const list = parseDenylist(`version: 1
name: Example IPFSCorp blocking list
description: A collection of bad things we have found in the universe
author: abuse-ipfscorp@example.com
hints:
  hint: value
  hint2: value2
---
# Blocking by CID is codec-agnostic (blocks by multihash).
/ipfs/bafybeihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq
/ipfs/Qmah2YDTfrox4watLCr3YgKyBwvjq8FJZEFdWY6WtJ3Xt2/test*
/ipfs/QmTuvSQbEDR3sarFAN9kAeXBpiBCyYYNxdxciazBba11eC/test/*
/ipfs/QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blocked*
!/ipfs/QmUboz9UsQBDeS6Tug1U8jgoFkgYxyYood9NDyVURAY9pK/blockednot
/ipns/domain.example
/ipns/k51qzi5uqu5dhmzyv3zac033i7rl9hkgczxyl81lwoukda2htteop7d3x0y1mf

//QmX9dhRcQcKUw3Ws8485T5a9dtjrSCQaUAHnG4iK9i4ceM
//gW813G35CnLsy7gRYYHuf63hrz71U1xoLFDVeV7actx6oX
//d9d295bde21f422d471a90f2a37ec53049fdf3e5fa3ee2e8f20e10003da429e7
`)
    expect(list.header).toEqual({
      name: 'Example IPFSCorp blocking list',
      description: 'A collection of bad things we have found in the universe',
      author: 'abuse-ipfscorp@example.com',
      hints: { hint: 'value', hint2: 'value2' },
    })
    expect(list).toMatchObject({ rules: 3, ignored: 7, bad: 0 })
    expect(list.verdict('bafybeihvvulpp4evxj7x7armbqcyg6uezzuig6jp3lktpbovlqfkuqeuoq')).toBe('deny')
    // By double hash, any codec and version.
    expect(list.verdict('bafybeidjwik6im54nrpfg7osdvmx7zojl5oaxqel5cmsz46iuelwf5acja')).toBe('deny')
    expect(list.verdict('QmVTF1yEejXd9iMgoRTFDxBv7HAz9kuZcQNBzHrceuK9HR')).toBe('deny')
    // By the older double hash, of just this CID.
    expect(list.verdict('bafybeiefwqslmf6zyyrxodaxx4vwqircuxpza5ri45ws3y5a62ypxti42e')).toBe('deny')
    expect(list.verdict('bafybeihrw75yfhdx5qsqgesdnxejtjybscwuclpusvxkuttep6h7pkgmze')).toBeUndefined()
  })
})

describe('a list with mistakes', () => {
  test('tells of lines that are no rules, and holds in all others', () => {
    const list = parseDenylist(
      `name: n\n---\nnonsense\n/ipfs/bafynot\n\n//tooshort\n/ipfs/${someCid}\n${'x'.repeat(2 * 1024 * 1024 + 1)}\n`,
    )
    expect(list.bad).toBe(4)
    expect(list.badLines.map(({ line }) => line)).toEqual([3, 4, 6, 8])
    expect(list.verdict(someCid)).toBe('deny')
  })

  test('is refused when it is of another version, or its header is broken', () => {
    expect(() => parseDenylist('version: 2\n---\n')).toThrow('version 1')
    expect(() => parseDenylist('name: [\n---\n')).toThrow('not YAML')
    expect(() => parseDenylist('just words\n---\n')).toThrow('not a list of fields')
    const bomb = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: [*b, *b]'].join('\n')
    expect(() => parseDenylist(`${bomb}\n---\n`)).toThrow('not YAML')
  })

  test('with a header that is too long has none, and no rule in it', () => {
    const list = parseDenylist(`name: ${'x'.repeat(1024 * 1024)}\n---\n/ipfs/${someCid}`)
    expect(list).toMatchObject({ header: {}, rules: 1, bad: 2 })
  })

  test('never breaks the reader', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('/ipfs/', '//', '!', '---\n', '\n', '/*', ' ', '/ipns/', 'version: 1\n', someCid, '#'),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const text = pieces.join('')
        try {
          const list = parseDenylist(text)
          expect(list.rules + list.ignored + list.bad).toBeLessThanOrEqual(text.split('\n').length)
          list.verdict(someCid)
          list.verdict(text)
        } catch (error) {
          expect(error).toMatchObject({ name: 'DenylistError' })
        }
      }),
    )
  })
})

describe('a list that is written', () => {
  const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const rule = fc.record({
    cid: digest.map((bytes) => cidFromDigest(bytes, 'raw')),
    hidden: fc.boolean(),
    allow: fc.boolean(),
  })
  const comment = fc.record({ comment: fc.string({ unit: 'binary', maxLength: 60 }) })

  test('says the same when it is read', () => {
    const header = fc.record({
      name: fc.string(),
      description: fc.string({ unit: 'binary' }),
      hints: fc.constant({ gateway_status: 410 }),
    })
    const parts = fc.array(fc.oneof(rule, comment), { maxLength: 30 })
    fc.assert(
      fc.property(header, parts, (written, list: DenylistPart[]) => {
        const read = parseDenylist([...denylistLines(written, list)].join(''))
        expect(read).toMatchObject({ header: written, bad: 0, ignored: 0 })
        const last = new Map<string, 'allow' | 'deny'>()
        for (const part of list) if ('cid' in part) last.set(part.cid, part.allow ? 'allow' : 'deny')
        for (const [cid, verdict] of last) {
          expect(read.verdict(cid)).toBe(verdict)
          expect(read.verdict(asDagJson(cid))).toBe(verdict)
        }
        expect(read.verdict(someCid)).toBe(last.get(someCid))
      }),
    )
  })

  test('does not lead to what it hides', () => {
    const text = [...denylistLines({ name: 'n' }, [{ cid: someCid, hidden: true }])].join('')
    expect(text).not.toContain(someCid)
    expect(text).not.toContain(nameOf(someCid))
  })
})
