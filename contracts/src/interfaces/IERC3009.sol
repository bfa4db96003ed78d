// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title The part of ERC-3009 (transfer with authorization) that a receiver needs.
interface IERC3009 {
    /**
     * @notice Moves tokens that `from` has signed over to the caller, which must be `to`: so nobody else can use the
     * signature first. The signature is of `ReceiveWithAuthorization(address from,address to,uint256 value,uint256
     * validAfter,uint256 validBefore,bytes32 nonce)`.
     */
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
    ) external;

    /**
     * @notice Moves tokens as `from` has signed; anyone may send it. The signature is of
     * `TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32
     * nonce)`.
     */
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
    ) external;
}
