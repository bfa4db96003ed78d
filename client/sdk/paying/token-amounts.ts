import { formatUnits, parseUnits } from 'ethers'
import type { Token } from './escrow-reader.ts'

/** The token of amounts that an index tells; it knows no symbol. */
export function tokenOf({ token, decimals }: { token: string; decimals: number }): Token {
  return { address: token, decimals, symbol: 'tokens' }
}

/** `1.5 USDC` of base units. */
export function formatAmount(
  amount: bigint,
  { decimals, symbol }: Pick<Token, 'decimals' | 'symbol'>,
): string {
  return `${formatUnits(amount, decimals).replace(/\.0$/, '')} ${symbol}`
}

/** Base units of an amount in whole tokens, such as `1.5`. @throws RangeError */
export function parseAmount(text: string, { decimals }: Pick<Token, 'decimals'>): bigint {
  if (!/^\d{1,20}(\.\d{1,30})?$/.test(text)) throw new RangeError(`'${text}' is no amount such as 1.5`)
  try {
    return parseUnits(text, decimals)
  } catch (cause) {
    throw new RangeError(`'${text}' has more than the ${decimals} decimals of the token`, { cause })
  }
}
