from sqlalchemy import Connection, text


def test_head_is_there(connection: Connection) -> None:
    assert connection.execute(text("select count(*) from iucore.unit_kind")).scalar_one() == 8
