import type { Address, Hash } from '@hexachord/protocol/names'
import {
  type Claim,
  emptyLedger,
  type Ledger,
  LedgerRefusal,
  type Operation,
  operate,
  paymentDomains,
} from '@hexachord/protocol/payments'
import { type Messages, type Signer, signMessage } from '@hexachord/protocol/signing'
import type { HardhatEthersSigner } from '@nomicfoundation/hardhat-ethers/types'
import { as, chain, type LocalNetwork, localNetwork, releaseSeconds } from './local-network.ts'

export type People = {
  payers: readonly Address[]
  sessionKeys: readonly Address[]
  nodes: readonly Address[]
  artist: Address
  curator: Address
  everybody: readonly Address[]
}

export interface PaidNetwork extends LocalNetwork {
  people: People
}

/** A network on which everybody has a role; for `loadFixture`. */
export async function paidNetwork(): Promise<PaidNetwork> {
  const network = await localNetwork()
  const accounts = (await chain.ethers.getSigners()).slice(3, 11).map(({ address }) => lower(address))
  const [payer, otherPayer, key, otherKey, node, otherNode, artist, curator] = accounts as [
    ...[Address, Address, Address, Address, Address, Address, Address, Address],
  ]
  const people = {
    ...{ payers: [payer, otherPayer], sessionKeys: [key, otherKey], nodes: [node, otherNode] },
    ...{ artist, curator, everybody: accounts },
  }
  return { ...network, people }
}

/** Takes the contracts and the ledger through the same operations. */
export class Twins {
  readonly #network: PaidNetwork
  ledger: Ledger = emptyLedger(releaseSeconds)

  constructor(network: PaidNetwork) {
    this.#network = network
  }

  /**
   * One operation, `afterSeconds` after the one before; signed ones are sent by the relayer.
   * @returns what each of them refused it for, undefined where it was accepted
   */
  async take(operation: Operation, afterSeconds: number) {
    const now = (await chain.networkHelpers.time.latest()) + afterSeconds
    await this.#prepare(operation)
    // What is refused is in no block, but was tried in one of this time.
    const at = Math.max(now, (await chain.networkHelpers.time.latest()) + 1)
    await chain.networkHelpers.time.setNextBlockTimestamp(at)
    const byContracts = await faultOf(this.#send(operation))
    const byLedger = this.#operate(operation, at)
    return { byContracts, byLedger }
  }

  /** Everything that both of them know, side by side. */
  async compare(tracks: readonly Hash[]) {
    const { people, escrow, tracks: registry, deployer } = this.#network
    const contracts = { balances: {}, channels: {}, sessions: {}, earned: {}, tracks: {} } as Facts
    const ledger = { balances: {}, channels: {}, sessions: {}, earned: {}, tracks: {} } as Facts
    for (const account of people.everybody) {
      contracts.balances[account] = await as(deployer, escrow)('balanceOf', account)
      ledger.balances[account] = this.ledger.balances.get(account) ?? 0n
    }
    for (const [name, channel] of this.ledger.channels) {
      const { reserved, settled, released, releasing, readyAt } = await as(deployer, escrow)(
        'channel',
        ...name.split(' '),
      )
      contracts.channels[name] = { reserved, settled, released, releasing, readyAt: Number(readyAt) }
      ledger.channels[name] = channel
    }
    for (const [name, session] of this.ledger.sessions) {
      const { cap, reserved, expiry, revoked } = await as(deployer, escrow)('session', ...name.split(' '))
      contracts.sessions[name] = { cap, reserved, expiry: Number(expiry), revoked }
      ledger.sessions[name] = session
    }
    for (const [name, earned] of this.ledger.earned) {
      const [track, version] = name.split(' ')
      const { total, distributed } = await as(deployer, escrow)('earnedBy', track, version)
      contracts.earned[name] = { total, distributed }
      ledger.earned[name] = earned
    }
    for (const track of tracks) {
      const known = this.ledger.tracks.get(track)
      contracts.tracks[track] = {
        owner: lower(await as(deployer, registry)('ownerOf', track)),
        latest: Number(await as(deployer, registry)('latestVersion', track)),
      }
      ledger.tracks[track] = {
        owner: known?.owner ?? `0x${'00'.repeat(20)}`,
        latest: known?.terms.length ?? 0,
      }
    }
    return { contracts, ledger }
  }

  #operate(operation: Operation, now: number): string | undefined {
    try {
      this.ledger = operate(this.ledger, operation, now)
      return undefined
    } catch (error) {
      if (error instanceof LedgerRefusal) return error.fault
      throw error
    }
  }

  /** Who pays needs something to pay with. */
  async #prepare(operation: Operation): Promise<void> {
    if (operation.do !== 'deposit' && operation.do !== 'payTrack') return
    const { dollar, escrow, deployer } = this.#network
    await as(deployer, dollar)('mint', deployer.address, operation.amount)
    await as(deployer, dollar)('approve', await escrow.getAddress(), operation.amount)
  }

  async #send(operation: Operation): Promise<unknown> {
    const { escrow, tracks, deployer } = this.#network
    const relay = as(deployer, escrow)
    switch (operation.do) {
      case 'deposit':
        return relay('depositFor', operation.account, operation.amount)
      case 'withdraw':
        return as(await signerAt(operation.caller), escrow)('withdraw', operation.caller, operation.amount)
      case 'authorizeSession': {
        const { signer: payer, key, cap, expiry } = operation
        const signature = await this.#sign(payer, 'Session', { payer, key, cap, expiry })
        return relay('authorizeSessionBySig', payer, key, cap, expiry, signature)
      }
      case 'revokeSession':
        return as(await signerAt(operation.caller), escrow)('revokeSession', operation.key)
      case 'reserve': {
        const { payer, signer, node, total } = operation
        const signature = await this.#sign(signer, 'Reserve', { payer, node, total, deadline: never })
        return relay('reserveBySig', payer, node, total, never, signature)
      }
      case 'initiateRelease': {
        const { caller, key, node, amount } = operation
        return as(await signerAt(caller), escrow)('initiateRelease', key, node, amount)
      }
      case 'finalizeRelease': {
        const { caller, key, node } = operation
        return as(await signerAt(caller), escrow)('finalizeRelease', key, node)
      }
      case 'redeem': {
        const { node } = operation
        const claims = await Promise.all(operation.claims.map((claim) => this.#signClaim(node, claim)))
        return as(await signerAt(node), escrow)('redeem', node, claims)
      }
      case 'payTrack':
        return relay('payTrack', operation.track, operation.node, operation.curator, operation.amount)
      case 'distribute':
        return relay('distribute', operation.track, operation.version)
      case 'setTerms': {
        const { signer, track, terms } = operation
        const version = Number(await as(deployer, tracks)('latestVersion', track)) + 1
        const message = { track, version, ...terms, deadline: never }
        const signature = await this.#sign(signer, 'Terms', message)
        return as(deployer, tracks)('setTermsBySig', track, terms, never, signature)
      }
      case 'cancelChange':
        return as(await signerAt(operation.caller), tracks)('cancelChange', operation.track)
      case 'offerTrack':
        return as(await signerAt(operation.caller), tracks)('offerTrack', operation.track, operation.to)
      case 'acceptTrack':
        return as(await signerAt(operation.caller), tracks)('acceptTrack', operation.track)
    }
  }

  async #signClaim(node: Address, { payer, signer, base, cumulative, lines }: Claim) {
    const signature = await this.#sign(signer, 'Voucher', { payer, node, base, cumulative, lines })
    return { payer, base, cumulative, lines, signature }
  }

  async #sign<Name extends 'Voucher' | 'Reserve' | 'Session' | 'Terms'>(
    signer: Address,
    name: Name,
    message: Messages[Name],
  ): Promise<string> {
    const { chainId, payments } = this.#network.file
    if (payments === undefined) throw new Error('the network has no payments')
    const { escrow, tracks } = paymentDomains({ chainId, payments })
    return signMessage((await signerAt(signer)) as Signer, name === 'Terms' ? tracks : escrow, name, message)
  }
}

type Facts = Record<'balances' | 'channels' | 'sessions' | 'earned' | 'tracks', Record<string, unknown>>

const never = 2n ** 64n

async function signerAt(address: Address): Promise<HardhatEthersSigner> {
  return chain.ethers.getSigner(address)
}

/** Name of the custom error by which a contract refused. */
async function faultOf(transaction: Promise<unknown>): Promise<string | undefined> {
  try {
    await transaction
    return undefined
  } catch (error) {
    const name = error instanceof Error && /reverted with custom error '(\w+)\(/.exec(error.message)?.[1]
    if (!name) throw error
    return name
  }
}

function lower(address: string): Address {
  return address.toLowerCase() as Address
}
