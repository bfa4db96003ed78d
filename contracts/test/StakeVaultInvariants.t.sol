// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StakeVault} from "../src/StakeVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {FeeToken, OpenToken} from "./support/Tokens.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @dev Few stakers stake for few operators, unbond, wait, withdraw, and sometimes just give to the vault.
contract StakeVaultHandler {
    uint256 public constant OPERATORS = 3;
    uint256 public constant STAKERS = 4;

    StakeVault public immutable vault;
    OpenToken public immutable token;

    uint256 public given;
    uint256 public lastId;
    mapping(address staker => uint256) public paidIn;
    mapping(address staker => uint256) public paidOut;

    constructor(StakeVault vault_, OpenToken token_) {
        vault = vault_;
        token = token_;
    }

    function stake(uint256 operator, uint256 staker, uint96 amount) external {
        amount = uint96(clamp(amount, 1, type(uint96).max));
        address who = stakerAt(staker);
        token.mint(who, amount);
        vm.prank(who);
        token.approve(address(vault), amount);
        uint256 before = token.balanceOf(address(vault));
        vm.prank(who);
        vault.stake(operatorAt(operator), amount);
        paidIn[who] += token.balanceOf(address(vault)) - before;
    }

    function unbond(uint256 operator, uint256 staker, uint256 amount) external {
        address who = stakerAt(staker);
        uint256 bonded = vault.stakeOf(operatorAt(operator), who);
        if (bonded == 0) return;
        vm.prank(who);
        lastId = vault.unbond(operatorAt(operator), clamp(amount, 1, bonded));
    }

    function withdraw(uint256 index) external {
        if (lastId == 0) return;
        uint256 id = clamp(index, 1, lastId);
        IStakeVault.UnbondingStake memory leaving = vault.unbondingStake(id);
        if (leaving.amount == 0) return;
        if (block.timestamp < leaving.readyAt) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IStakeVault.StakeNotReady.selector,
                    id,
                    leaving.readyAt,
                    block.timestamp
                )
            );
            vm.prank(leaving.staker);
            vault.withdraw(id);
            return;
        }
        uint256 before = token.balanceOf(address(vault));
        vm.prank(leaving.staker);
        vault.withdraw(id);
        paidOut[leaving.staker] += before - token.balanceOf(address(vault));
    }

    function wait_(uint32 time) external {
        vm.warp(block.timestamp + time);
    }

    function give(uint96 amount) external {
        token.mint(address(vault), amount);
        given += amount;
    }

    function operatorAt(uint256 index) public pure returns (address) {
        return address(uint160(0xA0 + (index % OPERATORS)));
    }

    function stakerAt(uint256 index) public pure returns (address) {
        return address(uint160(0xB0 + (index % STAKERS)));
    }
}

contract StakeVaultInvariants {
    StakeVaultHandler internal handler;
    address[] private targets;

    function setUp() public {
        OpenToken token = _token();
        handler = new StakeVaultHandler(new StakeVault(token, 3 days), token);
        targets.push(address(handler));
    }

    function targetContracts() public view returns (address[] memory) {
        return targets;
    }

    /// @notice The vault holds what it owes, and what was given to it, to the last unit.
    function invariant_solvent() public view {
        StakeVault vault = handler.vault();
        uint256 owed = vault.totalBonded() + vault.totalUnbonding();
        require(handler.token().balanceOf(address(vault)) == owed + handler.given(), "balance is what is owed");
    }

    /// @notice Each staker gets out what it put in: what it has bonded, is unbonding and took out is what arrived.
    function invariant_everyStakersAccountAdds() public view {
        StakeVault vault = handler.vault();
        uint256 bonded;
        uint256 unbonding;
        for (uint256 i; i < handler.STAKERS(); ++i) {
            address staker = handler.stakerAt(i);
            uint256 itsBonded = _bondedOf(staker);
            uint256 itsUnbonding = _unbondingOf(staker);
            require(
                itsBonded + itsUnbonding + handler.paidOut(staker) == handler.paidIn(staker),
                "in is bonded, unbonding and out"
            );
            bonded += itsBonded;
            unbonding += itsUnbonding;
        }
        require(bonded == vault.totalBonded(), "total bonded is the sum");
        require(unbonding == vault.totalUnbonding(), "total unbonding is the sum");
    }

    function _bondedOf(address staker) private view returns (uint256 sum) {
        for (uint256 i; i < handler.OPERATORS(); ++i) {
            sum += handler.vault().stakeOf(handler.operatorAt(i), staker);
        }
    }

    function _unbondingOf(address staker) private view returns (uint256 sum) {
        for (uint256 id = 1; id <= handler.lastId(); ++id) {
            IStakeVault.UnbondingStake memory leaving = handler.vault().unbondingStake(id);
            if (leaving.staker == staker) sum += leaving.amount;
        }
    }

    function _token() internal virtual returns (OpenToken) {
        return new OpenToken();
    }
}

/// @dev All of it again for a token that burns a part of each transfer.
contract StakeVaultFeeInvariants is StakeVaultInvariants {
    function _token() internal override returns (OpenToken) {
        return new FeeToken();
    }
}
