import { expect } from 'chai'
import { Signature, Wallet, zeroPadValue } from 'ethers'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { type Action, actArguments, actionHash, domainOf, sign } from './support/actions.ts'
import { as, chain, localNetwork } from './support/local-network.ts'

const { loadFixture, takeSnapshot, time } = chain.networkHelpers

const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

describe('Catalog', () => {
  async function withArtist() {
    const network = await localNetwork()
    const artist = new Wallet(`0x${'a1'.repeat(32)}`)
    const domain = domainOf(network.file)
    const action: Action = {
      author: artist.address,
      nonce: 7n,
      kind: 2,
      subject: zeroPadValue(artist.address, 32),
      content: '0xc0ffee',
      deadline: BigInt((await time.latest()) + 3600),
    }
    return { ...network, artist, domain, action }
  }

  it('carries an action that its author signed, whoever sends it', async () => {
    const { catalog, alice, bob, artist, domain, action } = await loadFixture(withArtist)
    const args = actArguments(action, await sign(artist, domain, action))
    const before = await takeSnapshot()

    for (const relayer of [alice, bob]) {
      await expect(as(relayer, catalog)('act', ...args))
        .to.emit(catalog, 'Acted')
        .withArgs(artist.address, action.author, action.nonce, action.kind, action.subject, action.content)
      expect(await as(bob, catalog)('isNonceUsed', artist.address, action.nonce)).to.equal(true)
      await before.restore()
    }
  })

  it('tells signer and author apart, and leaves it to the rules whether one may act for the other', async () => {
    const { catalog, alice, bob, domain, action } = await loadFixture(withArtist)
    const delegate = new Wallet(`0x${'d1'.repeat(32)}`)

    await expect(as(alice, catalog)('act', ...actArguments(action, await sign(delegate, domain, action))))
      .to.emit(catalog, 'Acted')
      .withArgs(delegate.address, action.author, action.nonce, action.kind, action.subject, action.content)
    expect(await as(bob, catalog)('isNonceUsed', delegate.address, action.nonce)).to.equal(true)
    expect(await as(bob, catalog)('isNonceUsed', action.author, action.nonce)).to.equal(false)
  })

  it('refuses a replay, and another action with a used nonce', async () => {
    const { catalog, alice, bob, artist, domain, action } = await loadFixture(withArtist)
    const other = { ...action, content: '0xdecaf0' }
    const args = actArguments(action, await sign(artist, domain, action))
    await as(alice, catalog)('act', ...args)

    await expect(as(bob, catalog)('act', ...args))
      .to.be.revertedWithCustomError(catalog, 'CatalogNonceUsed')
      .withArgs(artist.address, action.nonce)
    await expect(as(bob, catalog)('act', ...actArguments(other, await sign(artist, domain, other))))
      .to.be.revertedWithCustomError(catalog, 'CatalogNonceUsed')
      .withArgs(artist.address, action.nonce)
  })

  it('takes nonces in any order', async () => {
    const { catalog, alice, artist, domain, action } = await loadFixture(withArtist)
    for (const nonce of [2n ** 256n - 1n, 5n, 0n, 256n, 4n]) {
      const next = { ...action, nonce }
      await as(alice, catalog)('act', ...actArguments(next, await sign(artist, domain, next)))
    }
    expect(await as(alice, catalog)('isNonceUsed', artist.address, 256n)).to.equal(true)
    expect(await as(alice, catalog)('isNonceUsed', artist.address, 255n)).to.equal(false)
  })

  it('accepts an action in the second of its deadline and refuses it in the next', async () => {
    const { catalog, alice, artist, domain, action } = await loadFixture(withArtist)
    const args = actArguments(action, await sign(artist, domain, action))
    const before = await takeSnapshot()

    await time.setNextBlockTimestamp(action.deadline)
    await expect(as(alice, catalog)('act', ...args)).to.emit(catalog, 'Acted')
    await before.restore()

    await time.setNextBlockTimestamp(action.deadline + 1n)
    await expect(as(alice, catalog)('act', ...args))
      .to.be.revertedWithCustomError(catalog, 'CatalogDeadlinePassed')
      .withArgs(action.deadline, action.deadline + 1n)
  })

  it('accepts 8192 bytes of content and no more', async () => {
    const { catalog, alice, artist, domain, action } = await loadFixture(withArtist)
    const fits = { ...action, content: `0x${'2a'.repeat(8192)}` }
    const tooLong = { ...action, nonce: 8n, content: `0x${'2a'.repeat(8193)}` }

    await expect(as(alice, catalog)('act', ...actArguments(fits, await sign(artist, domain, fits)))).to.emit(
      catalog,
      'Acted',
    )
    await expect(as(alice, catalog)('act', ...actArguments(tooLong, await sign(artist, domain, tooLong))))
      .to.be.revertedWithCustomError(catalog, 'CatalogContentTooLong')
      .withArgs(8193n, 8192n)
  })

  const elsewhere = {
    'another name': { name: 'Heptachord' },
    'another version': { version: '2' },
    'another chain': { chainId: 1 },
    'another contract': { verifyingContract: `0x${'c0'.repeat(20)}` },
  }
  for (const [what, difference] of Object.entries(elsewhere)) {
    it(`does not take a signature for ${what} for the signer's`, async () => {
      const { catalog, alice, artist, domain, action } = await loadFixture(withArtist)
      const signature = await sign(artist, { ...domain, ...difference }, action)

      const sent = await as(alice, catalog)('act', ...actArguments(action, signature))
      const [log] = await catalog.queryFilter('Acted')
      // Recovery gives some address for any digest, so the action is carried as a stranger's.
      expect(log?.transactionHash).to.equal(sent.hash)
      expect(log?.topics[1]).not.to.equal(zeroPadValue(artist.address, 32).toLowerCase())
      expect(await as(alice, catalog)('isNonceUsed', artist.address, action.nonce)).to.equal(false)
    })
  }

  it('refuses the mirrored signature with a high s', async () => {
    const { catalog, alice, artist, domain, action } = await loadFixture(withArtist)
    const { r, s, yParity } = Signature.from(await sign(artist, domain, action))
    const highS = `0x${(curveOrder - BigInt(s)).toString(16).padStart(64, '0')}`
    const mirrored = `${r}${highS.slice(2)}${yParity === 0 ? '1c' : '1b'}`

    await expect(as(alice, catalog)('act', ...actArguments(action, mirrored)))
      .to.be.revertedWithCustomError(catalog, 'ECDSAInvalidSignatureS')
      .withArgs(highS)
  })

  it('refuses signatures that are not 65 bytes, compact ones too', async () => {
    const { catalog, alice, artist, domain, action } = await loadFixture(withArtist)
    const signature = await sign(artist, domain, action)
    const wrong: [string, number][] = [
      ['0x', 0],
      [Signature.from(signature).compactSerialized, 64],
      [`${signature}00`, 66],
    ]
    for (const [bytes, length] of wrong) {
      await expect(as(alice, catalog)('act', ...actArguments(action, bytes)))
        .to.be.revertedWithCustomError(catalog, 'ECDSAInvalidSignatureLength')
        .withArgs(length)
    }
  })

  it('refuses bytes that no key could have signed', async () => {
    const { catalog, alice, artist, domain, action } = await loadFixture(withArtist)
    const signature = await sign(artist, domain, action)
    for (const bytes of [
      `${signature.slice(0, -2)}1d`,
      `${signature.slice(0, -2)}00`,
      `0x${'00'.repeat(65)}`,
    ]) {
      await expect(as(alice, catalog)('act', ...actArguments(action, bytes))).to.be.revertedWithCustomError(
        catalog,
        'ECDSAInvalidSignature',
      )
    }
  })

  it('names an action as anyone computes it off the chain', async () => {
    const { catalog, alice } = await loadFixture(withArtist)
    const address = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(hex)
    const actions = fc.record({
      author: address,
      nonce: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
      kind: fc.integer({ min: 0, max: 65_535 }),
      subject: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hex),
      content: fc.uint8Array({ maxLength: 300 }).map(hex),
      deadline: fc.constant(0n),
    })
    await fc.assert(
      fc.asyncProperty(address, actions, async (signer, action) => {
        const { author, nonce, kind, subject, content } = action
        const named = await as(alice, catalog)('actionHash', signer, author, nonce, kind, subject, content)
        expect(named).to.equal(actionHash(signer, action))
      }),
      { numRuns: 50 },
    )
  })

  it('says what its signatures are bound to', async () => {
    const { catalog, alice, file } = await loadFixture(withArtist)
    const { name, version, chainId, verifyingContract } = await as(alice, catalog)('eip712Domain')
    expect([name, version, chainId, verifyingContract]).to.deep.equal([
      'Hexachord',
      '1',
      BigInt(file.chainId),
      file.contracts.catalog,
    ])
  })
})

function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`
}
