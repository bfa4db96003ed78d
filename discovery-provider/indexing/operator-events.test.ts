import type { OperatorEvent } from '@hexachord/protocol/operators'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decodeOperatorEvent, encodeOperatorEvent } from './operator-events.ts'

test('an operator event comes back from its text as it was, whatever its endpoint holds', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
      (endpoint, capacityBytes, totalWei) => {
        const place = { block: 3, logIndex: 1, operator: `0x${'01'.repeat(20)}` } as const
        const updated: OperatorEvent = {
          ...place,
          type: 'updated',
          endpoint,
          peerId: '0x12',
          hotKey: place.operator,
          capacityBytes,
        }
        const bonded: OperatorEvent = { ...place, type: 'bonded', staker: place.operator, totalWei }
        for (const event of [updated, bonded]) {
          const text = encodeOperatorEvent(event)
          expect(text).not.toContain('\0')
          expect(decodeOperatorEvent(text)).toEqual(event)
        }
      },
    ),
  )
})
