// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/**
 * @title Where operators' stake lies.
 * @notice Stake is kept per pair of operator and staker, so that a stranger's stake can neither help nor lock an
 * operator; whose stake counts is decided by who reads it (the registry reads only the controller's). Stake that is
 * being withdrawn waits in the vault under an id of its own, still on record with its operator.
 */
interface IStakeVault {
    /**
     * @notice Stake on its way out.
     * @param operator The operator it was staked for.
     * @param readyAt Unix second from which it can be withdrawn.
     * @param staker Whose it is.
     * @param amount In base units of the token; zero if there is no such id, or it was withdrawn.
     */
    struct UnbondingStake {
        address operator;
        uint64 readyAt;
        address staker;
        uint256 amount;
    }

    /**
     * @notice Stake was added.
     * @param amount What the vault received, which is less than what was sent if the token takes a fee.
     * @param total The staker's bonded stake for the operator after this, without what is unbonding.
     */
    event Staked(address indexed operator, address indexed staker, uint256 amount, uint256 total);

    /**
     * @notice Stake stopped counting and began its way out.
     * @param total The staker's bonded stake for the operator after this, without what is unbonding.
     * @param readyAt Unix second from which it can be withdrawn.
     */
    event Unbonding(
        address indexed operator,
        address indexed staker,
        uint256 indexed id,
        uint256 amount,
        uint256 total,
        uint64 readyAt
    );

    /// @notice Unbonded stake went back to its staker.
    event Withdrawn(uint256 indexed id, address indexed staker, uint256 amount);

    /// @notice There is no token contract at this address.
    error StakeTokenMissing(address token);

    /// @notice The unbonding time is longer than any vault may have. Both are in seconds.
    error StakeUnbondingTooLong(uint256 unbondingSeconds, uint256 max);

    /// @notice Stake cannot be for the zero address.
    error StakeOperatorZero();

    /// @notice The amount is zero, or nothing of it arrived.
    error StakeAmountZero();

    /// @notice The staker has less bonded stake for the operator than it wants to unbond.
    error StakeInsufficient(address operator, address staker, uint256 bonded, uint256 requested);

    /// @notice No stake is unbonding under this id: it never existed, or was withdrawn.
    error StakeUnbondingUnknown(uint256 id);

    /// @notice Only the staker may withdraw its stake.
    error StakeNotOwned(uint256 id, address staker, address caller);

    /// @notice The stake is still unbonding. Both are unix seconds.
    error StakeNotReady(uint256 id, uint256 readyAt, uint256 timestamp);

    /**
     * @notice Adds the caller's stake for an operator, registered or not. The vault must be allowed to spend it.
     * @param amount In base units of the token. What arrives is credited.
     */
    function stake(address operator, uint256 amount) external;

    /**
     * @notice Begins to take out stake of the caller. It stops counting at once.
     * @return id Under which it can be withdrawn after {unbondingSeconds}.
     */
    function unbond(address operator, uint256 amount) external returns (uint256 id);

    /// @notice Sends unbonded stake back to the caller, who must be its staker.
    function withdraw(uint256 id) external;

    /// @notice Bonded stake of a staker for an operator, without what is unbonding.
    function stakeOf(address operator, address staker) external view returns (uint256);

    /// @notice What is unbonding under an id; zeros if nothing is.
    function unbondingStake(uint256 id) external view returns (UnbondingStake memory);

    /// @notice All bonded stake.
    function totalBonded() external view returns (uint256);

    /// @notice All stake that is unbonding or waits to be withdrawn.
    function totalUnbonding() external view returns (uint256);

    /// @notice The token that is staked.
    function token() external view returns (IERC20);

    /// @notice How long stake stays after it stopped counting, in seconds.
    function unbondingSeconds() external view returns (uint64);

    /// @notice Longest unbonding time that a vault may be created with, in seconds.
    function MAX_UNBONDING_SECONDS() external view returns (uint64);
}
