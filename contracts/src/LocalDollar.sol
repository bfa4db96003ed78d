// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IERC3009} from "./interfaces/IERC3009.sol";

/**
 * @title What listeners pay with on local networks and in tests.
 * @notice Worth nothing: anyone can mint it. Otherwise like the dollars of real chains: 6 decimals, ERC-2612 permits and
 * ERC-3009 authorizations.
 */
contract LocalDollar is ERC20, ERC20Permit, IERC3009 {
    bytes32 private constant TRANSFER_TYPEHASH =
        keccak256(
            "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
    bytes32 private constant RECEIVE_TYPEHASH =
        keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );

    /// @notice Whether an account has used a nonce for an authorization.
    mapping(address authorizer => mapping(bytes32 nonce => bool)) public authorizationState;

    /// @notice An authorization was used.
    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);

    /// @notice The block is outside of the time for which the authorization was signed, in unix seconds.
    error DollarAuthorizationNotValid(uint256 validAfter, uint256 validBefore, uint256 timestamp);

    /// @notice The authorization was used before.
    error DollarAuthorizationUsed(address authorizer, bytes32 nonce);

    /// @notice Only the receiver may use the authorization.
    error DollarNotReceiver(address to, address caller);

    /// @notice The authorization was signed by another account, or says something else.
    error DollarSignerInvalid(address signer, address from);

    constructor() ERC20("Local Dollar", "LUSD") ERC20Permit("Local Dollar") {}

    /// @notice Makes tokens out of nothing.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @inheritdoc IERC3009
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        bytes32 message = keccak256(abi.encode(TRANSFER_TYPEHASH, from, to, value, validAfter, validBefore, nonce));
        _useAuthorization(from, validAfter, validBefore, nonce, ECDSA.recover(_hashTypedDataV4(message), v, r, s));
        _transfer(from, to, value);
    }

    /// @inheritdoc IERC3009
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        if (msg.sender != to) revert DollarNotReceiver(to, msg.sender);
        bytes32 message = keccak256(abi.encode(RECEIVE_TYPEHASH, from, to, value, validAfter, validBefore, nonce));
        _useAuthorization(from, validAfter, validBefore, nonce, ECDSA.recover(_hashTypedDataV4(message), v, r, s));
        _transfer(from, to, value);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function _useAuthorization(
        address from,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        address signer
    ) private {
        if (block.timestamp <= validAfter || block.timestamp >= validBefore) {
            revert DollarAuthorizationNotValid(validAfter, validBefore, block.timestamp);
        }
        if (signer != from) revert DollarSignerInvalid(signer, from);
        if (authorizationState[from][nonce]) revert DollarAuthorizationUsed(from, nonce);
        authorizationState[from][nonce] = true;
        emit AuthorizationUsed(from, nonce);
    }
}
