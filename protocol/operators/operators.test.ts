import { describe, expect, test } from '@jest/globals'
import { AbiCoder, Interface } from 'ethers'
import type { Address } from '../names/index.ts'
import { decodeOperatorLog, type OperatorEvent, operatorEventFragments, operatorsAt } from './index.ts'

const abi = new Interface(operatorEventFragments)
const one: Address = `0x${'01'.repeat(20)}`
const boss: Address = `0x${'0b'.repeat(20)}`
const hot: Address = `0x${'0c'.repeat(20)}`

function log(name: string, args: unknown[], blockNumber: number): OperatorEvent {
  const event = abi.getEvent(name)
  if (!event) throw new Error(`no event ${name}`)
  const encoded = abi.encodeEventLog(event, args)
  const decoded = decodeOperatorLog({ ...encoded, address: one, blockNumber, blockHash: '0x', logIndex: 0 })
  if (!decoded) throw new Error(`${name} was not decoded`)
  return decoded
}

const registered = log('OperatorRegistered', [one, boss, 'https://one.example', '0x1234', hot, 500n], 1)

describe('the operator set', () => {
  test('counts only the stake of the controller, whenever it came', () => {
    const events = [log('Staked', [one, one, 9n, 9n], 0), registered, log('Staked', [one, boss, 50n, 50n], 2)]
    expect(operatorsAt(events, 1, 10n).get(one)).toMatchObject({ stakeWei: 0n, active: false })
    expect(operatorsAt(events, 2, 10n).get(one)).toMatchObject({
      stakeWei: 50n,
      active: true,
      controller: boss,
      hotKey: hot,
      capacityBytes: 500n,
    })
  })

  test('follows updates, unbonding and exit, and leaves out what came after the block', () => {
    const events = [
      registered,
      log('Staked', [one, boss, 50n, 50n], 2),
      log('OperatorUpdated', [one, 'https://two.example', '0x56', boss, 900n], 3),
      log('Unbonding', [one, boss, 1n, 45n, 5n, 99n], 4),
      log('Staked', [one, boss, 45n, 50n], 5),
      log('OperatorExitRequested', [one], 6),
      log('OperatorExitCancelled', [one], 7),
    ]
    const activeAt = (block: number) => operatorsAt(events, block, 10n).get(one)?.active
    expect(operatorsAt(events, 3, 10n).get(one)).toMatchObject({
      endpoint: 'https://two.example',
      hotKey: boss,
    })
    expect([2, 4, 5, 6, 7].map(activeAt)).toEqual([true, false, true, false, true])
  })

  test('reads an endpoint that is no text as text, and goes on', () => {
    const event = abi.getEvent('OperatorUpdated')
    if (!event) throw new Error('the event is not known')
    const data = AbiCoder.defaultAbiCoder().encode(
      ['bytes', 'bytes', 'address', 'uint64'],
      ['0x68ff00', '0x12', hot, 5n],
    )
    const topics = [event.topicHash, `0x${'0'.repeat(24)}${one.slice(2)}`]
    const decoded = decodeOperatorLog({
      topics,
      data,
      address: one,
      blockNumber: 4,
      blockHash: '0x',
      logIndex: 0,
    })
    expect(decoded).toMatchObject({ type: 'updated', operator: one, endpoint: 'h\ufffd\ufffd', hotKey: hot })
  })
})
