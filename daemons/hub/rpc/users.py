"""Users over gRPC."""

from __future__ import annotations

from dataclasses import dataclass

from daemons.hub.desk import users
from daemons.hub.desk.users import Invitation, NewUser, UserEdit, UserView
from daemons.hub.desk.who import Caller
from daemons.hub.proof.passwords import Passwords
from daemons.hub.rpc import convert
from daemons.hub.rpc.door import Door, unary
from mezite.api.generated import common_pb2, users_pb2, users_pb2_grpc
from mezite.clock import to_us
from mezite.errors import Invalid
from mezite.model.user import UserKind


@dataclass(slots=True)
class Users(users_pb2_grpc.UsersServicer):
    door: Door
    passwords: Passwords

    @unary
    async def Create(
        self, caller: Caller, request: users_pb2.CreateUserRequest
    ) -> users_pb2.UserWithEnrolment:
        wanted = NewUser(
            name=request.name,
            kind=_kind(request.kind),
            roles=tuple(request.roles),
            logins=tuple(request.logins),
            traits=convert.tuples(request.traits),
            password=request.password if request.HasField("password") else None,
            owner=request.owner,
        )
        return _with_enrolment(*await users.create(self.door.desk, self.passwords, caller, wanted))

    @unary
    async def Get(self, caller: Caller, request: users_pb2.UserName) -> users_pb2.User:
        return _user(await users.get(self.door.desk, caller, request.name))

    @unary
    async def List(self, caller: Caller, request: common_pb2.Page) -> users_pb2.UserList:
        limit = convert.limit(request)
        rows = await users.page(self.door.desk, caller, after=request.after, limit=limit + 1)
        return users_pb2.UserList(users=[_user(row) for row in rows[:limit]], more=len(rows) > limit)

    @unary
    async def Update(self, caller: Caller, request: users_pb2.UpdateUserRequest) -> users_pb2.User:
        edit = UserEdit(
            add_roles=tuple(request.add_roles),
            remove_roles=tuple(request.remove_roles),
            set_traits=convert.tuples(request.set_traits),
            set_logins=tuple(request.set_logins.values) if request.HasField("set_logins") else None,
        )
        return _user(await users.update(self.door.desk, caller, request.name, edit))

    @unary
    async def Delete(self, caller: Caller, request: users_pb2.UserName) -> common_pb2.Empty:
        await users.delete(self.door.desk, caller, request.name)
        return common_pb2.Empty()

    @unary
    async def Reset(self, caller: Caller, request: users_pb2.ResetUserRequest) -> users_pb2.UserWithEnrolment:
        return _with_enrolment(*await users.reset(self.door.desk, caller, request.name, mfa=request.mfa))


def _kind(text: str) -> UserKind:
    try:
        return UserKind(text or "human")
    except ValueError:
        raise Invalid(f"{text[:40]!a} is not a kind of user; use human or machine") from None


def _with_enrolment(view: UserView, invited: Invitation | None) -> users_pb2.UserWithEnrolment:
    message = users_pb2.UserWithEnrolment(user=_user(view))
    if invited is not None:
        message.enrolment_token = invited.token
        message.enrolment_expires_us = to_us(invited.expires_at)
    return message


def _user(view: UserView) -> users_pb2.User:
    return users_pb2.User(
        id=view.user.id,
        name=view.user.name,
        kind=view.user.kind.value,
        roles=view.user.roles,
        logins=view.user.logins,
        traits=convert.strings(view.user.traits),
        created_us=to_us(view.user.created_at),
        created_by=view.user.created_by,
        mfa_enrolled=view.mfa,
        enrolled=view.enrolled,
        locked=view.locked,
        owner=view.owner,
    )
