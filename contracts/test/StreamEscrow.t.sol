// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {LocalDollar} from "../src/LocalDollar.sol";
import {StreamEscrow} from "../src/StreamEscrow.sol";
import {ITrackRegistry} from "../src/interfaces/ITrackRegistry.sol";
import {IOperatorRegistry} from "../src/interfaces/IOperatorRegistry.sol";
import {IStreamEscrow} from "../src/interfaces/IStreamEscrow.sol";
import {Payments, Voucher} from "./support/Payments.sol";
import {BlacklistToken, FalseToken, FeeToken, HookToken, OpenToken} from "./support/Tokens.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @dev Money in and out, of all kinds of tokens.
contract StreamEscrowTest is Payments {
    uint48 private constant NOW = 1_800_000_000;

    function setUp() public {
        deployPayments();
        vm.warp(NOW);
    }

    function testFuzz_whatComesInCanGoOut(address account, uint256 amount, uint256 part) public {
        vm.assume(account != address(0));
        amount = clamp(amount, 1, type(uint256).max);
        part = clamp(part, 1, amount);
        token.mint(address(this), amount);
        token.approve(address(escrow), amount);
        vm.expectEmit(address(escrow));
        emit IStreamEscrow.Deposited(account, address(this), amount);
        escrow.depositFor(account, amount);
        require(escrow.balanceOf(account) == amount, "credited");

        vm.expectEmit(address(escrow));
        emit IStreamEscrow.Withdrawn(account, BAND, part);
        vm.prank(account);
        escrow.withdraw(BAND, part);
        require(token.balanceOf(BAND) == part && escrow.balanceOf(account) == amount - part, "paid out");
    }

    function testFuzz_nobodyWithdrawsMoreThanItHas(uint96 balance, uint256 more) public {
        balance = uint96(clamp(balance, 1, type(uint96).max));
        more = clamp(more, uint256(balance) + 1, type(uint256).max);
        deposit(BAND, 1000);
        deposit(payer, balance);
        _expectInsufficient(payer, balance, more);
        vm.prank(payer);
        escrow.withdraw(payer, more);
    }

    function test_nothingAndNobodyAreRefused() public {
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAmountZero.selector));
        escrow.depositFor(payer, 0);
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAmountZero.selector));
        escrow.withdraw(payer, 0);
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAccountZero.selector));
        escrow.withdraw(address(0), 1);
        token.mint(address(this), 1);
        token.approve(address(escrow), 1);
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAccountZero.selector));
        escrow.depositFor(address(0), 1);
        vm.expectRevert(abi.encodeWithSelector(IStreamEscrow.StreamAccountZero.selector));
        reserveOne(payer, address(0), 1);
    }

    function test_aPermitDepositsAlsoAfterSomeoneElseUsedItFirst() public {
        token.mint(payer, 100);
        for (uint256 i; i < 2; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = _signPermit(50, i);
            if (i == 1) token.permit(payer, address(escrow), 50, NOW, v, r, s);
            vm.prank(payer);
            escrow.depositWithPermit(payer, 50, NOW, v, r, s);
        }
        require(escrow.balanceOf(payer) == 100, "both");
    }

    function test_aPermitIsNoLeaveForOthers() public {
        token.mint(payer, 100);
        (uint8 v, bytes32 r, bytes32 s) = _signPermit(100, 0);
        vm.expectRevert();
        vm.prank(BAND);
        escrow.depositWithPermit(BAND, 100, NOW, v, r, s);
        require(token.balanceOf(payer) == 100, "untouched");
    }

    function test_anAuthorizationDepositsForWhomItSaysOnce() public {
        token.mint(payer, 100);
        (uint8 v, bytes32 r, bytes32 s) = _signAuthorization(sessionKey, 100, "salt");
        vm.expectRevert();
        escrow.depositWithAuthorization(payer, BAND, 100, 0, NOW + 1, "salt", v, r, s);
        vm.expectRevert();
        escrow.depositWithAuthorization(payer, sessionKey, 99, 0, NOW + 1, "salt", v, r, s);

        vm.expectEmit(address(escrow));
        emit IStreamEscrow.Deposited(sessionKey, payer, 100);
        escrow.depositWithAuthorization(payer, sessionKey, 100, 0, NOW + 1, "salt", v, r, s);
        require(escrow.balanceOf(sessionKey) == 100 && token.balanceOf(payer) == 0, "there");

        bytes32 nonce = keccak256(abi.encode(sessionKey, bytes32("salt")));
        vm.expectRevert(abi.encodeWithSelector(LocalDollar.DollarAuthorizationUsed.selector, payer, nonce));
        escrow.depositWithAuthorization(payer, sessionKey, 100, 0, NOW + 1, "salt", v, r, s);
    }

    function testFuzz_aTokenWithAFeeIsCreditedByWhatArrived(uint96 amount) public {
        amount = uint96(clamp(amount, 1, type(uint96).max));
        FeeToken fee = new FeeToken();
        escrow = new StreamEscrow(fee, tracks, operators, RELEASE);
        fee.mint(address(this), amount);
        fee.approve(address(escrow), amount);
        escrow.depositFor(payer, amount);
        require(escrow.balanceOf(payer) == amount - amount / 100, "less than was sent");
        require(fee.balanceOf(address(escrow)) == escrow.balanceOf(payer), "solvent");
    }

    function test_whomATokenRefusesWithdrawsToAnotherAddress() public {
        BlacklistToken strict = new BlacklistToken();
        escrow = new StreamEscrow(strict, tracks, operators, RELEASE);
        strict.mint(address(this), 100);
        strict.approve(address(escrow), 100);
        escrow.depositFor(payer, 100);
        bytes32 track = registerTrack(1);
        reserveOne(payer, NODE, 100);
        strict.refuse(artist);

        redeemOne(Voucher(payer, NODE, 0, 100, line(track, CURATOR, 100)), PAYER_KEY);
        escrow.distribute(track, 1);
        require(escrow.balanceOf(BAND) == 27 && escrow.balanceOf(artist) == 55, "everybody is paid");
        vm.expectRevert(abi.encodeWithSelector(BlacklistToken.Refused.selector, artist));
        vm.prank(artist);
        escrow.withdraw(artist, 55);
        vm.prank(artist);
        escrow.withdraw(address(0x5AFE), 55);
        require(strict.balanceOf(address(0x5AFE)) == 55, "elsewhere");
    }

    function test_aTokenWithHooksCannotEnterTwice() public {
        HookToken hooked = new HookToken();
        escrow = new StreamEscrow(hooked, tracks, operators, RELEASE);
        hooked.mint(address(this), 2 ether);
        hooked.approve(address(escrow), 2 ether);
        bytes[2] memory callbacks = [
            abi.encodeCall(StreamEscrow.depositFor, (payer, 1)),
            abi.encodeCall(StreamEscrow.withdraw, (payer, 1))
        ];
        for (uint256 i; i < callbacks.length; ++i) {
            hooked.arm(address(escrow), callbacks[i]);
            vm.expectRevert(
                abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
            );
            escrow.depositFor(payer, 1 ether);
        }
    }

    function test_aTokenThatSaysFalseIsNotBelieved() public {
        FalseToken liar = new FalseToken();
        escrow = new StreamEscrow(liar, tracks, operators, RELEASE);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(liar)));
        escrow.depositFor(payer, 1);
    }

    function testFuzz_boundsTheTimeOfARelease(uint48 releaseSeconds) public {
        if (releaseSeconds < 1 minutes || releaseSeconds > 7 days) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IStreamEscrow.StreamReleaseOutOfBounds.selector,
                    releaseSeconds,
                    1 minutes,
                    7 days
                )
            );
        }
        new StreamEscrow(token, tracks, operators, releaseSeconds);
    }

    function test_standsOnContracts() public {
        bytes memory missing = abi.encodeWithSelector(IStreamEscrow.StreamContractMissing.selector, BAND);
        vm.expectRevert(missing);
        new StreamEscrow(IERC20(BAND), tracks, operators, RELEASE);
        vm.expectRevert(missing);
        new StreamEscrow(token, ITrackRegistry(BAND), operators, RELEASE);
        vm.expectRevert(missing);
        new StreamEscrow(token, tracks, IOperatorRegistry(BAND), RELEASE);
    }

    function _signPermit(uint256 amount, uint256 nonce) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 typeHash = keccak256(
            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        );
        return _signForToken(keccak256(abi.encode(typeHash, payer, address(escrow), amount, nonce, uint256(NOW))));
    }

    function _signAuthorization(
        address account,
        uint256 amount,
        bytes32 salt
    ) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 typeHash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes32 nonce = keccak256(abi.encode(account, salt));
        return
            _signForToken(
                keccak256(abi.encode(typeHash, payer, address(escrow), amount, uint256(0), uint256(NOW) + 1, nonce))
            );
    }

    function _signForToken(bytes32 message) private view returns (uint8 v, bytes32 r, bytes32 s) {
        return vm.sign(PAYER_KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), message)));
    }

    function _expectInsufficient(address account, uint256 balance, uint256 needed) private {
        vm.expectRevert(
            abi.encodeWithSelector(IStreamEscrow.StreamBalanceInsufficient.selector, account, balance, needed)
        );
    }
}
