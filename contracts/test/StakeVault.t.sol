// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {StakeVault} from "../src/StakeVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {FalseToken, FeeToken, HookToken, OpenToken} from "./support/Tokens.sol";
import {clamp, vm} from "./support/Vm.sol";

contract StakeVaultTest {
    uint64 private constant UNBONDING = 14 days;

    address private constant OPERATOR = address(0x0B);
    address private constant STAKER = address(0x5A);

    function testFuzz_creditsWhatWasStakedToThatPairOnly(address operator, address staker, uint256 amount) public {
        vm.assume(operator != address(0) && staker != address(0));
        amount = clamp(amount, 1, type(uint256).max);
        (StakeVault vault, OpenToken token) = _vaultOf(new OpenToken());
        vm.assume(staker != address(vault));

        _allow(vault, token, staker, amount);
        vm.expectEmit(address(vault));
        emit IStakeVault.Staked(operator, staker, amount, amount);
        vm.prank(staker);
        vault.stake(operator, amount);

        require(vault.stakeOf(operator, staker) == amount, "credited");
        require(vault.stakeOf(staker, operator) == (operator == staker ? amount : 0), "not the other way round");
        require(vault.totalBonded() == amount && vault.totalUnbonding() == 0, "totals");
    }

    function testFuzz_creditsWhatArrivedOfATokenWithAFee(uint256 amount) public {
        amount = clamp(amount, 1, type(uint256).max);
        (StakeVault vault, OpenToken token) = _vaultOf(new FeeToken());
        _stake(vault, token, OPERATOR, STAKER, amount);

        require(vault.stakeOf(OPERATOR, STAKER) == amount - amount / 100, "less than was sent");
        require(token.balanceOf(address(vault)) == vault.totalBonded(), "solvent");
    }

    function testFuzz_unbondingStopsCountingAtOnceAndCanBeWithdrawnInTime(
        uint256 amount,
        uint256 part,
        uint64 start,
        uint64 early
    ) public {
        amount = clamp(amount, 1, type(uint256).max);
        part = clamp(part, 1, amount);
        start = uint64(clamp(start, 1, type(uint64).max - UNBONDING));
        early = uint64(clamp(early, 0, UNBONDING - 1));
        (StakeVault vault, OpenToken token) = _vaultOf(new OpenToken());
        _stake(vault, token, OPERATOR, STAKER, amount);
        vm.warp(start);

        vm.expectEmit(address(vault));
        emit IStakeVault.Unbonding(OPERATOR, STAKER, 1, part, amount - part, start + UNBONDING);
        vm.prank(STAKER);
        uint256 id = vault.unbond(OPERATOR, part);
        require(vault.stakeOf(OPERATOR, STAKER) == amount - part, "no longer bonded");
        require(vault.totalBonded() == amount - part && vault.totalUnbonding() == part, "moved between totals");
        require(vault.unbondingStake(id).operator == OPERATOR, "still on record with its operator");

        vm.warp(start + early);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.StakeNotReady.selector, id, start + UNBONDING, start + early)
        );
        vm.prank(STAKER);
        vault.withdraw(id);

        vm.warp(start + UNBONDING);
        vm.expectEmit(address(vault));
        emit IStakeVault.Withdrawn(id, STAKER, part);
        vm.prank(STAKER);
        vault.withdraw(id);
        require(token.balanceOf(STAKER) == part, "paid out");
        require(vault.unbondingStake(id).amount == 0, "off the record");

        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StakeUnbondingUnknown.selector, id));
        vm.prank(STAKER);
        vault.withdraw(id);
    }

    function testFuzz_nobodyUnbondsMoreThanItsOwn(address other, uint256 amount, uint256 more) public {
        vm.assume(other != STAKER);
        amount = clamp(amount, 1, type(uint256).max - 1);
        more = clamp(more, amount + 1, type(uint256).max);
        (StakeVault vault, OpenToken token) = _vaultOf(new OpenToken());
        _stake(vault, token, OPERATOR, STAKER, amount);

        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.StakeInsufficient.selector, OPERATOR, STAKER, amount, more)
        );
        vm.prank(STAKER);
        vault.unbond(OPERATOR, more);

        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StakeInsufficient.selector, OPERATOR, other, 0, amount));
        vm.prank(other);
        vault.unbond(OPERATOR, amount);
    }

    function testFuzz_onlyTheStakerWithdraws(address other) public {
        vm.assume(other != STAKER);
        (StakeVault vault, OpenToken token) = _vaultOf(new OpenToken());
        _stake(vault, token, OPERATOR, STAKER, 1 ether);
        vm.prank(STAKER);
        uint256 id = vault.unbond(OPERATOR, 1 ether);
        vm.warp(block.timestamp + UNBONDING);

        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StakeNotOwned.selector, id, STAKER, other));
        vm.prank(other);
        vault.withdraw(id);
    }

    function test_aTokenWithHooksCannotEnterTwice() public {
        HookToken token = new HookToken();
        (StakeVault vault, ) = _vaultOf(token);
        bytes[3] memory callbacks = [
            abi.encodeCall(StakeVault.stake, (OPERATOR, 1)),
            abi.encodeCall(StakeVault.unbond, (OPERATOR, 1)),
            abi.encodeCall(StakeVault.withdraw, (1))
        ];
        _allow(vault, token, STAKER, 2 ether);
        for (uint256 i; i < callbacks.length; ++i) {
            token.arm(address(vault), callbacks[i]);
            vm.expectRevert(
                abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
            );
            vm.prank(STAKER);
            vault.stake(OPERATOR, 1 ether);
        }
    }

    function test_aTokenThatSaysFalseIsNotBelieved() public {
        FalseToken token = new FalseToken();
        (StakeVault vault, ) = _vaultOf(token);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        vault.stake(OPERATOR, 1 ether);
    }

    function testFuzz_boundsItsUnbondingTime(uint64 unbondingSeconds) public {
        IERC20 token = new OpenToken();
        if (unbondingSeconds > 365 days) {
            vm.expectRevert(
                abi.encodeWithSelector(IStakeVault.StakeUnbondingTooLong.selector, unbondingSeconds, 365 days)
            );
        }
        new StakeVault(token, unbondingSeconds);
    }

    function testFuzz_needsAToken(address nothing) public {
        vm.assume(nothing.code.length == 0);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StakeTokenMissing.selector, nothing));
        new StakeVault(IERC20(nothing), UNBONDING);
    }

    function _vaultOf(OpenToken token) private returns (StakeVault, OpenToken) {
        return (new StakeVault(token, UNBONDING), token);
    }

    function _stake(StakeVault vault, OpenToken token, address operator, address staker, uint256 amount) private {
        _allow(vault, token, staker, amount);
        vm.prank(staker);
        vault.stake(operator, amount);
    }

    function _allow(StakeVault vault, OpenToken token, address staker, uint256 amount) private {
        token.mint(staker, amount);
        vm.prank(staker);
        token.approve(address(vault), amount);
    }
}
