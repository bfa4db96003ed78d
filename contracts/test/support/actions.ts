import { AbiCoder, keccak256, type TypedDataDomain, type Wallet } from 'ethers'
import type { NetworkFile } from '../../networks/index.ts'

export interface Action {
  author: string
  nonce: bigint
  kind: number
  /** 32 bytes, hex. */
  subject: string
  /** Hex. */
  content: string
  /** Unix seconds. */
  deadline: bigint
}

export function domainOf(file: NetworkFile): TypedDataDomain {
  return {
    name: 'Hexachord',
    version: '1',
    chainId: file.chainId,
    verifyingContract: file.contracts.catalog,
  }
}

export async function sign(wallet: Wallet, domain: TypedDataDomain, action: Action): Promise<string> {
  const fields = [
    { type: 'address', name: 'author' },
    { type: 'uint256', name: 'nonce' },
    { type: 'uint16', name: 'kind' },
    { type: 'bytes32', name: 'subject' },
    { type: 'bytes', name: 'content' },
    { type: 'uint256', name: 'deadline' },
  ]
  return wallet.signTypedData(domain, { Action: fields }, action)
}

/** The arguments of `Catalog.act`. */
export function actArguments(action: Action, signature: string): unknown[] {
  const { author, nonce, kind, subject, content, deadline } = action
  return [author, nonce, kind, subject, content, deadline, signature]
}

/** How an action is named, computed off the chain. */
export function actionHash(signer: string, action: Action): string {
  const { author, nonce, kind, subject, content } = action
  return keccak256(
    AbiCoder.defaultAbiCoder().encode(
      ['address', 'address', 'uint256', 'uint16', 'bytes32', 'bytes32'],
      [signer, author, nonce, kind, subject, keccak256(content)],
    ),
  )
}
