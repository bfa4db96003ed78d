// Written by contracts/build.ts; not to be edited.

export { catalogAbi, catalogBytecode } from './catalog.ts'
export { hexTokenAbi, hexTokenBytecode } from './hex-token.ts'
export { operatorRegistryAbi, operatorRegistryBytecode } from './operator-registry.ts'
export { stakeVaultAbi, stakeVaultBytecode } from './stake-vault.ts'
