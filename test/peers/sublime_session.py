"""What sublime-music does when it is given a server, without its window: its own protocol layer, asked for everything
that its window would ask for. Arguments: server, user name, password. Prints one line of JSON."""

import json
import pathlib
import sys
import tempfile

from sublime_music.adapters import ConfigurationStore
from sublime_music.adapters.adapter_base import AlbumSearchQuery
from sublime_music.adapters.subsonic.adapter import SubsonicAdapter

server, user, password = sys.argv[1:4]
settings = ConfigurationStore()
settings.update({"server_address": server, "username": user, "verify_cert": True, "salt_auth": True})
settings.get_secret = lambda _: password

with tempfile.TemporaryDirectory() as folder:
    player = SubsonicAdapter(settings, pathlib.Path(folder))
    player._set_ping_status()
    lists = {
        kind.name: [album.name for album in player.get_albums(AlbumSearchQuery(kind))]
        for kind in (
            AlbumSearchQuery.Type.RANDOM,
            AlbumSearchQuery.Type.NEWEST,
            AlbumSearchQuery.Type.FREQUENT,
            AlbumSearchQuery.Type.RECENT,
            AlbumSearchQuery.Type.STARRED,
            AlbumSearchQuery.Type.ALPHABETICAL_BY_NAME,
            AlbumSearchQuery.Type.ALPHABETICAL_BY_ARTIST,
        )
    }
    artist = player.get_artist(next(iter(player.search("Sublime")._artists)))
    album = player.get_album(artist.albums[0].id)
    song = player.get_song_details(album.songs[0].id)
    player.scrobble_song(song)
    print(
        json.dumps(
            {
                "ping": bool(player.ping_status),
                "artists": [one.name for one in player.get_artists()],
                "folders": len(player.get_directory("root").children),
                "artist": artist.name,
                "lists": lists,
                "album": album.name,
                "songs": [[one.title, one.duration.total_seconds(), one.track] for one in album.songs],
                "genres": [genre.name for genre in player.get_genres()],
                "playlists": [
                    [one.name, len(player.get_playlist_details(one.id).songs)] for one in player.get_playlists()
                ],
                "song": song.title,
                "stream": player.get_song_stream_uri(song.id),
            }
        )
    )
    player.shutdown()
