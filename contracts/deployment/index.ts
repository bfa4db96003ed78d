export { DeploymentError } from './deploy-contract.ts'
export { type DeployNetworkOptions, deployNetwork } from './deploy-network.ts'
