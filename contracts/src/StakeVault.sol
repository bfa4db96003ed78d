// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @title {IStakeVault} for one token and one unbonding time, both fixed.
contract StakeVault is IStakeVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @inheritdoc IStakeVault
    uint64 public constant MAX_UNBONDING_SECONDS = 365 days;

    /// @inheritdoc IStakeVault
    IERC20 public immutable token;

    /// @inheritdoc IStakeVault
    uint64 public immutable unbondingSeconds;

    /// @inheritdoc IStakeVault
    uint256 public totalBonded;

    /// @inheritdoc IStakeVault
    uint256 public totalUnbonding;

    mapping(address operator => mapping(address staker => uint256)) private _bonded;
    mapping(uint256 id => UnbondingStake) private _unbonding;
    uint256 private _lastId;

    constructor(IERC20 token_, uint64 unbondingSeconds_) {
        if (address(token_).code.length == 0) revert StakeTokenMissing(address(token_));
        if (unbondingSeconds_ > MAX_UNBONDING_SECONDS) {
            revert StakeUnbondingTooLong(unbondingSeconds_, MAX_UNBONDING_SECONDS);
        }
        token = token_;
        unbondingSeconds = unbondingSeconds_;
    }

    /// @inheritdoc IStakeVault
    function stake(address operator, uint256 amount) external nonReentrant {
        if (operator == address(0)) revert StakeOperatorZero();

        // The credit depends on what the transfer brought, so here effects must follow the interaction;
        // the guard keeps a token with hooks from counting one arrival twice.
        uint256 balanceBefore = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - balanceBefore;
        if (received == 0) revert StakeAmountZero();

        uint256 total = _bonded[operator][msg.sender] + received;
        _bonded[operator][msg.sender] = total;
        totalBonded += received;
        emit Staked(operator, msg.sender, received, total);
    }

    /// @inheritdoc IStakeVault
    function unbond(address operator, uint256 amount) external nonReentrant returns (uint256 id) {
        if (amount == 0) revert StakeAmountZero();
        uint256 bonded = _bonded[operator][msg.sender];
        if (amount > bonded) revert StakeInsufficient(operator, msg.sender, bonded, amount);

        uint256 total = bonded - amount;
        _bonded[operator][msg.sender] = total;
        totalBonded -= amount;
        totalUnbonding += amount;
        id = ++_lastId;
        uint64 readyAt = uint64(block.timestamp) + unbondingSeconds;
        _unbonding[id] = UnbondingStake({operator: operator, readyAt: readyAt, staker: msg.sender, amount: amount});
        emit Unbonding(operator, msg.sender, id, amount, total, readyAt);
    }

    /// @inheritdoc IStakeVault
    function withdraw(uint256 id) external nonReentrant {
        UnbondingStake memory leaving = _unbonding[id];
        if (leaving.amount == 0) revert StakeUnbondingUnknown(id);
        if (leaving.staker != msg.sender) revert StakeNotOwned(id, leaving.staker, msg.sender);
        if (block.timestamp < leaving.readyAt) revert StakeNotReady(id, leaving.readyAt, block.timestamp);

        delete _unbonding[id];
        totalUnbonding -= leaving.amount;
        emit Withdrawn(id, leaving.staker, leaving.amount);
        token.safeTransfer(leaving.staker, leaving.amount);
    }

    /// @inheritdoc IStakeVault
    function stakeOf(address operator, address staker) external view returns (uint256) {
        return _bonded[operator][staker];
    }

    /// @inheritdoc IStakeVault
    function unbondingStake(uint256 id) external view returns (UnbondingStake memory) {
        return _unbonding[id];
    }
}
