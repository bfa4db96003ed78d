// Written by contracts/build.ts; not to be edited.

export { catalogAbi, catalogBytecode } from './catalog.ts'
export { hexTokenAbi, hexTokenBytecode } from './hex-token.ts'
export { localDollarAbi, localDollarBytecode } from './local-dollar.ts'
export { operatorRegistryAbi, operatorRegistryBytecode } from './operator-registry.ts'
export { stakeVaultAbi, stakeVaultBytecode } from './stake-vault.ts'
export { streamEscrowAbi, streamEscrowBytecode } from './stream-escrow.ts'
export { trackPurchasesAbi, trackPurchasesBytecode } from './track-purchases.ts'
export { trackRegistryAbi, trackRegistryBytecode } from './track-registry.ts'
